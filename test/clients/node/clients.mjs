/**
 * Drives a gateway with google-gax's OperationsClient, unmodified, and prints what it saw as one JSON object.
 *
 * Usage: clients.mjs HOST:PORT PARENT RUNNING FINISHING FINISHED, the last three being operation names: one to cancel,
 * one that ends with a response within seconds, one that has ended.
 */
import gax from "google-gax";

const { Operation, createDefaultBackoffSettings, grpc, lro, Status } = gax;
const [address, parent, running, finishing, finished] = process.argv.slice(2);
const [host, port] = address.split(":");

// A clear-text channel has no credentials; of an auth library gax only wants to know the universe.
const auth = { getUniverseDomain: async () => "googleapis.com" };
const client = lro({ auth }).operationsClient({
  servicePath: host,
  port: Number(port),
  sslCreds: grpc.credentials.createInsecure(),
});

async function describe(call) {
  try {
    await call();
    return "OK";
  } catch (error) {
    const details = error.statusDetails ?? [];
    return {
      code: Status[error.code],
      message: error.details ?? error.message,
      reason: error.reason ?? null,
      violations: details
        .flatMap((detail) => detail.fieldViolations ?? [])
        .map((violation) => violation.field),
    };
  }
}

function view([op]) {
  return {
    name: op.name,
    done: op.done,
    errorCode: op.error?.code ?? 0,
    metadataType: op.metadata?.type_url ?? "",
    responseType: op.response?.type_url ?? "",
  };
}

/** The polling helper of every generated Node client. */
async function promise(name) {
  const [start] = await client.getOperation({ name });
  const operation = new Operation(
    start,
    { operationsClient: client, responseDecoder: (value) => value, metadataDecoder: (value) => value },
    createDefaultBackoffSettings(),
  );
  await operation.promise();
}

const seen = { client: "node" };
const [list] = await client.listOperations({ name: parent, filter: "" });
seen.list = list.map((op) => op.name);
seen.get = view(await client.getOperation({ name: running }));
seen.cancel = await describe(() => client.cancelOperation({ name: running }));
seen.wait = await describe(() => promise(running));
seen.cancelled = seen.wait;
seen.future = await describe(() => promise(finishing));
seen.cancelFinished = await describe(() => client.cancelOperation({ name: finished }));
seen.unknown = await describe(() => client.getOperation({ name: `${finished}0` }));
seen.badName = await describe(() => client.cancelOperation({ name: "projects/p/../x" }));
seen.delete = await describe(() => client.deleteOperation({ name: finished }));
console.log(JSON.stringify(seen));
process.exit(0);
