// Two JSON-RPC clients over one address: `{client, method, params}`, `{client, batch: [[method, params], …]}`,
// `{client, notify: [method, params]}`.
import jayson from "jayson/promise/index.js";
import { JSONRPCClient } from "json-rpc-2.0";
import { serve } from "./lines.mjs";

const url = process.argv[2];

const simple = new JSONRPCClient(async (message) => {
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(message),
  });
  if (response.status === 200) simple.receive(await response.json());
  else if (message.id !== undefined) throw new Error(`HTTP ${response.status}`);
});
const other = jayson.client.http(url);

const clients = {
  async jayson({ method, params, batch, notify }) {
    if (batch) return await other.request(batch.map(([name, given]) => other.request(name, given, undefined, false)));
    if (notify) return (await other.request(notify[0], notify[1], null)) ?? null;
    return await other.request(method, params);
  },
  async "json-rpc-2.0"({ method, params, batch, notify }) {
    if (batch) {
      const calls = batch.map(([name, given], id) => ({ jsonrpc: "2.0", id, method: name, params: given }));
      return await simple.requestAdvanced(calls);
    }
    if (notify) return simple.notify(...notify) ?? null;
    return await simple.requestAdvanced({ jsonrpc: "2.0", id: "one", method, params });
  },
};

serve((ask) => clients[ask.client](ask));
