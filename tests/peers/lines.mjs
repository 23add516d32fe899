// One JSON object a line: every line that comes in is answered by one that carries its number back.
import { createInterface } from "node:readline";

/** Answer each line's `ask` with what `handler` gives, or with the `failed` text of what it throws. */
export function serve(handler) {
  const lines = createInterface({ input: process.stdin });
  lines.on("line", async (line) => {
    const { n, ask } = JSON.parse(line);
    let told;
    try {
      told = { n, told: (await handler(ask)) ?? null };
    } catch (problem) {
      told = { n, failed: problem?.stack ?? String(problem) };
    }
    process.stdout.write(JSON.stringify(told) + "\n");
  });
  lines.on("close", () => process.exit(0));
}

/** Say something that nobody asked for: a subscription's event. */
export function say(event) {
  process.stdout.write(JSON.stringify({ event }) + "\n");
}
