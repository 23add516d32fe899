// gRPC with grpc-js, in the messages of printed .proto files: `{folder, address, service, method, message, metadata}` is
// one unary call; what it tells is `{ok, trailers}`, or `{code, details, trailers}` of its status.
import { credentials, loadPackageDefinition, Metadata } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { serve } from "./lines.mjs";

const FILES = ["octonet/v1/entities.proto", "mostajs/mostajs.proto"];
const loaded = new Map();
const clients = new Map();

function once(known, name, make) {
  if (!known.has(name)) known.set(name, make());
  return known.get(name);
}

function load(folder) {
  const options = { keepCase: true, longs: Number, defaults: false, oneofs: false, includeDirs: [folder] };
  return loadPackageDefinition(loadSync(FILES, options));
}

function client({ folder, address, service }) {
  return once(clients, JSON.stringify([folder, address, service]), () => {
    const Service = service.split(".").reduce((found, name) => found[name], once(loaded, folder, () => load(folder)));
    return new Service(address, credentials.createInsecure());
  });
}

function shown(metadata) {
  return Object.fromEntries(
    Object.entries(metadata?.getMap() ?? {}).map(([name, value]) => [name, value.toString("base64")]),
  );
}

function metadataOf(given = {}) {
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(given)) metadata.set(name, value);
  return metadata;
}

serve(
  (asked) =>
    new Promise((resolve) => {
      let trailers = null;
      const call = client(asked)[asked.method](asked.message, metadataOf(asked.metadata), (problem, ok) => {
        // The status comes behind the answer, and tells the trailers.
        setImmediate(() =>
          resolve(
            problem
              ? { code: problem.code, details: problem.details, trailers: shown(problem.metadata) }
              : { ok, trailers: shown(trailers) },
          ),
        );
      });
      call.on("status", (status) => (trailers = status.metadata));
    }),
);
