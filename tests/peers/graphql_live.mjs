// Subscriptions by graphql-ws and graphql-sse: an ask starts one, its events are said as they come. A client that
// connects anew sends its variables again, and they hold the position of the last event that it saw.
import { createClient as createSse } from "graphql-sse";
import { createClient as createWs } from "graphql-ws";
import WebSocket from "ws";
import { say, serve } from "./lines.mjs";

const soon = () => new Promise((done) => setTimeout(done, 50));
const open = {};

function client({ protocol, url, key, params }) {
  const headers = key ? { "X-API-Key": key } : {};
  const on = { connected: () => say({ connected: true }), closed: (event) => say({ closed: event?.code ?? 0 }) };
  if (protocol === "sse") {
    return createSse({ url, headers, retryAttempts: 100, retry: soon, on });
  }
  class Shown extends WebSocket {
    constructor(address, protocols) {
      super(address, protocols, { headers });
    }
  }
  return createWs({
    url: url.replace("http", "ws"), webSocketImpl: Shown, connectionParams: params, lazy: true, retryAttempts: 100,
    retryWait: soon, on,
  });
}

serve(async (ask) => {
  if (ask.stop) {
    open[ask.stop]();
    return null;
  }
  const payload = { query: ask.query, variables: { ...ask.variables } };
  const made = (open[ask.client ?? ask.name] ??= null) ?? client(ask);
  open[ask.name] = made.subscribe(payload, {
    next: (result) => {
      const event = result.data && Object.values(result.data)[0];
      if (event?.position) payload.variables.after = event.position;
      say({ name: ask.name, result });
    },
    error: (problem) => say({ name: ask.name, error: problem?.code ?? problem?.message ?? problem }),
    complete: () => say({ name: ask.name, complete: true }),
  });
  return null;
});
