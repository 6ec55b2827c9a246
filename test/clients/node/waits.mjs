/**
 * Waits for operations, all at the same time, and prints as one JSON object how each ended.
 *
 * Usage: waits.mjs HOST:PORT CANCEL, then pairs of wait or poll and the name of an operation: by WaitOperation of a raw
 * stub, since Google's client leaves it out, or by Google's polling helper. CANCEL names an operation that is cancelled
 * first.
 */
import { join } from "node:path";
import { promisify } from "node:util";
import gax from "google-gax";

const { GrpcClient, Operation, createBackoffSettings, grpc, lro, Status } = gax;
const [address, cancel, ...pairs] = process.argv.slice(2);
const [host, port] = address.split(":");

// A clear-text channel has no credentials; of an auth library gax only wants to know the universe.
const auth = { getUniverseDomain: async () => "googleapis.com" };
const client = lro({ auth }).operationsClient({
  servicePath: host,
  port: Number(port),
  sslCreds: grpc.credentials.createInsecure(),
});
const protos = join(import.meta.dirname, "../../../node_modules/google-gax/build/protos");
const { Operations } = new GrpcClient({ auth }).loadProto(protos, "google/longrunning/operations.proto")
  .google.longrunning;
const stub = new Operations(address, grpc.credentials.createInsecure());
const waitOperation = promisify(stub.waitOperation.bind(stub));

/** Waits until it is done, however often that has to be asked. */
async function wait(name) {
  for (;;) {
    const answer = await waitOperation({ name, timeout: { seconds: 30 } });
    if (answer.done) return answer.error ? { code: Status[answer.error.code] } : "OK";
  }
}

/** What every generated Node client returns. */
async function poll(name) {
  const [start] = await client.getOperation({ name });
  const decoders = {
    operationsClient: client,
    responseDecoder: (value) => value,
    metadataDecoder: (value) => value,
  };
  const operation = new Operation(start, decoders, createBackoffSettings(500, 1.5, 5_000, 0, 0, 0, 60_000));
  try {
    await operation.promise();
    return "OK";
  } catch (error) {
    return { code: Status[error.code], message: error.message };
  }
}

await client.cancelOperation({ name: cancel });
const seen = [];
for (let at = 0; at < pairs.length; at += 2) {
  const [how, name] = pairs.slice(at, at + 2);
  seen.push((how === "wait" ? wait(name) : poll(name)).then((end) => [`${how} ${name}`, end]));
}
console.log(JSON.stringify(Object.fromEntries(await Promise.all(seen))));
process.exit(0);
