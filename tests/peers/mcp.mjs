// The two TypeScript clients of MCP: `mcp.mjs sdk|client|client-modern URL [HEADERS]`, then a method of the client by line.
import { serve } from "./lines.mjs";

const [which, url, headers = "{}"] = process.argv.slice(2);
const identity = { name: "octonet-peer", version: "1.0.0" };
const options = { requestInit: { headers: JSON.parse(headers) } };

async function connected() {
  let client, Transport;
  if (which === "sdk") {
    const { Client } = await import("@modelcontextprotocol/sdk/client/index.js");
    const { StreamableHTTPClientTransport } = await import("@modelcontextprotocol/sdk/client/streamableHttp.js");
    [client, Transport] = [new Client(identity), StreamableHTTPClientTransport];
  } else {
    const { Client, StreamableHTTPClientTransport } = await import("@modelcontextprotocol/client");
    const modern = which === "client-modern" ? { versionNegotiation: { mode: "auto" } } : {};
    [client, Transport] = [new Client(identity, modern), StreamableHTTPClientTransport];
  }
  await client.connect(new Transport(new URL(url), options));
  return client;
}

let client;
serve(async ({ method, params }) => {
  client ??= await connected();
  if (method === "version") return client.getNegotiatedProtocolVersion?.() ?? null;
  if (method === "listAllTools") {
    const tools = [];
    let cursor;
    do {
      const page = await client.listTools(cursor ? { cursor } : {});
      tools.push(...page.tools);
      cursor = page.nextCursor;
    } while (cursor);
    return tools;
  }
  return await client[method](params);
});
