// The tRPC client over any of its links: `{url, key, link, kind, path, input}` for one call, `calls: [[kind, path,
// input], …]` for several at once; `{watch: path, input, link}` begins a subscription and `{stop: number}` ends it.
import {
  createTRPCUntypedClient,
  createWSClient,
  httpBatchLink,
  httpBatchStreamLink,
  httpLink,
  httpSubscriptionLink,
  splitLink,
  TRPCClientError,
  wsLink,
} from "@trpc/client";
import { EventSource } from "eventsource";
import { WebSocket } from "ws";
import { say, serve } from "./lines.mjs";

globalThis.WebSocket ??= WebSocket;
const clients = new Map();
const subscriptions = [];

function client({ url, key = "", link = "httpLink" }) {
  const name = JSON.stringify([url, key, link]);
  if (!clients.has(name)) clients.set(name, make(url, key, link));
  return clients.get(name);
}

function make(url, key, link) {
  const headers = key ? { "x-api-key": key } : {};
  const params = key ? { apiKey: key } : undefined;
  if (link === "wsLink") {
    const socket = createWSClient({
      url: url.replace("http", "ws"),
      connectionParams: params,
      WebSocket,
      retryDelayMs: () => 50,
    });
    return createTRPCUntypedClient({ links: [wsLink({ client: socket })] });
  }
  const plain = { httpLink, httpBatchLink, httpBatchStreamLink }[link]({ url, headers });
  class Keyed extends EventSource {
    constructor(address, init) {
      const send = (input, more) => fetch(input, { ...more, headers: { ...more.headers, ...headers } });
      super(address, { ...init, fetch: send });
    }
  }
  const events = httpSubscriptionLink({ url, EventSource: Keyed });
  return createTRPCUntypedClient({
    links: [splitLink({ condition: (op) => op.type === "subscription", true: events, false: plain })],
  });
}

async function one(asked, [kind, path, input]) {
  try {
    return { ok: await client(asked)[kind](path, input) };
  } catch (problem) {
    if (!(problem instanceof TRPCClientError) || !problem.shape) throw problem;
    return { error: problem.shape, status: problem.data?.httpStatus };
  }
}

function watch(asked) {
  const number = subscriptions.length;
  const told = (what) => (value) => say({ number, [what]: value });
  subscriptions.push(
    client(asked).subscription(asked.watch, asked.input, {
      onStarted: () => say({ number, started: true }),
      onData: told("data"),
      onStopped: () => say({ number, stopped: true }),
      onComplete: () => say({ number, complete: true }),
      onError: (problem) => say({ number, error: problem.shape ?? String(problem) }),
    }),
  );
  return number;
}

serve(async (asked) => {
  if ("watch" in asked) return watch(asked);
  if ("stop" in asked) return subscriptions[asked.stop].unsubscribe() ?? null;
  if ("calls" in asked) return await Promise.all(asked.calls.map((call) => one(asked, call)));
  return await one(asked, [asked.kind, asked.path, asked.input]);
});
