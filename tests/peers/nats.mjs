// Asks over NATS with the client that Node programs use.
import { connect, headers, RequestError, NoRespondersError } from "@nats-io/transport-node";
import { serve } from "./lines.mjs";

const connections = new Map();

function connection({ server, token, inbox }) {
  const name = JSON.stringify([server, token, inbox]);
  if (!connections.has(name)) {
    const more = token ? { token, inboxPrefix: inbox } : {};
    connections.set(name, connect({ servers: server, ...more, reconnect: false }));
  }
  return connections.get(name);
}

serve(async (asked) => {
  const client = await connection(asked);
  const sent = headers();
  for (const [name, value] of Object.entries(asked.headers ?? {})) sent.set(name, value);
  try {
    const message = await client.request(asked.subject, asked.body ?? "", { timeout: 60000, headers: sent });
    const found = Object.fromEntries([...(message.headers?.keys() ?? [])].map((key) => [key, message.headers.get(key)]));
    return { data: message.json(), headers: found };
  } catch (problem) {
    if (problem instanceof NoRespondersError || problem instanceof RequestError) return { none: String(problem) };
    throw problem;
  }
});
