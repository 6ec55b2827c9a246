import { create, isMessage, type Message, toBinary } from "@bufbuild/protobuf";
import { operation as gaxOperation, LongrunningDescriptor } from "google-gax";
import { OperationSchema, Operations } from "../../../gen/google/longrunning/operations_pb.ts";
import {
  OperationWatcher,
  WatchOperationResponseSchema,
} from "../../../gen/lrogateway/v1/operation_watcher_pb.ts";
import { rawClient } from "./raw-client.ts";
import { control, percentile, requestsOf, startWorld } from "./world.ts";

const WAITERS = 1_000;
const POLLERS = 100;
const DURATION_MS = 60_000;

/** Reads of the upstream that all waiters together may cost, and when nearly all of them know of the end. */
const MAX_READS = 18;
const MAX_P99_MS = 250;
const DATASET = "projects/p/locations/l/datasets/d";

/** A thousand waiters of three protocols on one operation, and beside them pollers of google-gax on another. */
export async function waiters(): Promise<boolean> {
  const world = await startWorld();
  const { endpoint } = world;
  for (const id of ["waited", "polled"])
    await control(endpoint, "POST", "/operations", { dataset: DATASET, id, durationMs: DURATION_MS });
  const client = rawClient(world.gateway.address);
  const name = `${DATASET}/operations/waited`;
  const all = Array.from({ length: WAITERS }, (_, n) => {
    const wait = n % 2 === 0;
    const method = wait ? Operations.method.waitOperation : OperationWatcher.method.watchOperation;
    return client.call(n, method, create(method.input, { name })).end;
  });
  const pollers = Array.from({ length: POLLERS }, () =>
    pollLikeGax(endpoint, `${DATASET}/operations/polled`),
  );
  const ends = await Promise.all(all);
  await Promise.all(pollers);

  const reads = await requestsOf(endpoint, "get");
  const shared = reads.filter((read) => read.name === name);
  const polled = reads.length - shared.length;
  const sawIt = shared.at(-1)?.receivedAt ?? Number.NaN;
  const delays = ends.map(({ at }) => at - sawIt);
  const p99 = percentile(delays, 0.99);
  const finals = new Set(ends.map(({ messages }) => finalOf(messages.at(-1))));
  const same = finals.size === 1 && !finals.has("");
  const ratio = polled / POLLERS / (shared.length / WAITERS);
  console.log(
    `   ${ends.length} waiters, three protocols, half Wait and half Watch: ${shared.length} reads (at most ${MAX_READS}); ` +
      `final message the same for all: ${same}; p50 ${percentile(delays, 0.5)} ms, p99 ${p99} ms after the read that saw it (at most ${MAX_P99_MS})`,
  );
  console.log(
    `   ${POLLERS} pollers of google-gax: ${polled} reads; per caller ${ratio.toFixed(0)} times as many`,
  );
  client.close();
  await world.stop();
  return ends.length === WAITERS && same && shared.length <= MAX_READS && p99 <= MAX_P99_MS;
}

/** google-gax' own poller; only what it reads with is a plain request to the API. */
async function pollLikeGax(endpoint: string, name: string): Promise<void> {
  const client = {
    async getOperationInternal() {
      const answer = await fetch(`${endpoint}/v1beta1/${name}`);
      const { done } = (await answer.json()) as { done?: boolean };
      return [{ name, done: done === true, ...(done && { response: { value: new Uint8Array() } }) }];
    },
  };
  // The descriptor takes a generated client; the poller uses no more of it than this.
  const descriptor = new LongrunningDescriptor(
    client as never,
    () => ({}) as never,
    () => ({}) as never,
  );
  const backoff = {
    initialRetryDelayMillis: 100,
    retryDelayMultiplier: 1.3,
    maxRetryDelayMillis: 60_000,
    initialRpcTimeoutMillis: null,
    rpcTimeoutMultiplier: null,
    maxRpcTimeoutMillis: null,
    totalTimeoutMillis: null,
  };
  await gaxOperation({ name, done: false } as never, descriptor, backoff as never).promise();
}

/** The operation of an answer as hex, empty unless it is done. */
function finalOf(answer: Message | undefined): string {
  const operation = isMessage(answer, OperationSchema)
    ? answer
    : isMessage(answer, WatchOperationResponseSchema)
      ? answer.operation
      : undefined;
  return operation?.done ? Buffer.from(toBinary(OperationSchema, operation)).toString("hex") : "";
}
