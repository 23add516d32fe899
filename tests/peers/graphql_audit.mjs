// The audit of graphql-http on a server that is running: node graphql_audit.mjs URL
import { auditServer } from "graphql-http";

const found = await auditServer({ url: process.argv[2], fetchFn: fetch });
const told = [];
for (const { id, name, status, reason } of found) {
  told.push({ id, name, status, reason: reason ?? null });
}
console.log(JSON.stringify(told));
process.exit(0);
