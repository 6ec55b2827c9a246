import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { expect, test } from "vitest";
import { Operations } from "../../gen/google/longrunning/operations_pb.ts";
import { OperationWatcher, State } from "../../gen/lrogateway/v1/operation_watcher_pb.ts";
import { FaultServer } from "../support/fault-server.ts";
import { startTestGateway } from "../support/test-gateway.ts";

/**
 * An upstream, or a cache before it, once answered the read of an operation with another one that was done. The gateway
 * took it for the one that was asked for, told its watchers that it had ended, and kept that.
 */

const DATASET = "projects/p/locations/l/datasets/d";
const NAME = `${DATASET}/operations/8`;
const OTHER = { name: `${DATASET}/operations/9`, done: true };

/** A gateway before an upstream that answers the first reads with another operation. */
async function start(wrong: number) {
  let reads = 0;
  const upstream = await FaultServer.start((_, reply) =>
    reply.json(200, ++reads <= wrong ? OTHER : { name: NAME }),
  );
  const gateway = await startTestGateway(upstream.origin);
  const transport = createGrpcTransport({ baseUrl: `http://${gateway.address}` });
  return {
    operations: createClient(Operations, transport),
    watcher: createClient(OperationWatcher, transport),
    async [Symbol.asyncDispose]() {
      await gateway.drain();
      await upstream.close();
    },
  };
}

test("an answer about another operation is an error, and is not kept", async () => {
  await using at = await start(1);
  await expect(at.operations.getOperation({ name: NAME })).rejects.toMatchObject({
    rawMessage: "the upstream's answer is not what its API promises: it is about another operation",
  });
  expect(await at.operations.getOperation({ name: NAME })).toMatchObject({ name: NAME, done: false });
});

test("whoever watches is not told of another operation's end", async () => {
  await using at = await start(1);
  const leave = new AbortController();
  const states: State[] = [];
  for await (const { operation, state } of at.watcher.watchOperation(
    { name: NAME },
    { signal: leave.signal },
  )) {
    if (!operation) continue;
    expect(operation.name).toBe(NAME);
    states.push(state);
    break;
  }
  leave.abort();
  expect(states).toEqual([State.RUNNING]);
});
