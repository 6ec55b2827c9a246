import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import {
  ListOperationsResponseSchema,
  OperationSchema,
} from "../../../gen/google/longrunning/operations_pb.ts";
import { WatchOperationsResponse_Kind as Kind } from "../../../gen/lrogateway/v1/operation_watcher_pb.ts";
import { encode } from "../../support/encode.ts";
import { EngineBench, operationName } from "../../support/engine-bench.ts";
import { StreamReader } from "../../support/stream-reader.ts";

const PARENT = operationName(0).replace(/\/operations\/.*/, "");

/** Watches a collection of an upstream that answers lists as it likes. */
function watchLists(answer: (pageToken: string) => MessageInitShape<typeof ListOperationsResponseSchema>) {
  const { clock, upstream, engine, call } = new EngineBench();
  let lists = 0;
  upstream.list = async ({ pageToken }) => {
    lists++;
    await new Promise<void>((resolve) => {
      clock.setTimer(20, resolve);
    });
    return encode(ListOperationsResponseSchema, create(ListOperationsResponseSchema, answer(pageToken)));
  };
  const reader = new StreamReader(engine.watchOperations(PARENT, "", call()));
  return { clock, reader, lists: () => lists };
}

test("page tokens that go round in a ring end the pass at its second round", async () => {
  const NEXT: Readonly<Record<string, string>> = { "": "a", a: "b", b: "c", c: "d", d: "b" };
  const { clock, reader, lists } = watchLists((token) => ({ nextPageToken: NEXT[token] ?? "" }));
  await clock.advance(10_000);
  expect(reader.messages.map(({ kind }) => kind)).toContain(Kind.SNAPSHOT_END);
  expect(lists()).toBeLessThanOrEqual(8);
});

test("what a list holds without a name is nobody's operation", async () => {
  const operation = (name: string) => create(OperationSchema, { name });
  const { clock, reader } = watchLists(() => ({
    operations: [operation(""), operation(operationName(1)), operation("")],
  }));
  await clock.advance(1_000);
  expect(reader.messages.map(({ kind, name }) => [kind, name])).toEqual([
    [Kind.SNAPSHOT, operationName(1)],
    [Kind.SNAPSHOT_END, ""],
  ]);
});
