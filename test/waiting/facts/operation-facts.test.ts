import { create, toBinary } from "@bufbuild/protobuf";
import type { GenMessage } from "@bufbuild/protobuf/codegenv2";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import { OperationMetadataSchema } from "../../../gen/google/cloud/healthcare/v1/operation_metadata_pb.ts";
import { OperationMetadataSchema as BetaSchema } from "../../../gen/google/cloud/healthcare/v1beta1/operation_metadata_pb.ts";
import { OperationSchema } from "../../../gen/google/longrunning/operations_pb.ts";
import { State } from "../../../gen/lrogateway/v1/operation_watcher_pb.ts";
import { decodeOperation } from "../../../src/transcode/operation-codec.ts";
import { factsOf } from "../../../src/waiting/facts/operation-facts.ts";

function ofJson(operation: object) {
  return factsOf(decodeOperation(Buffer.from(JSON.stringify({ name: "n", ...operation }))).toMessage());
}

const V1 = "type.googleapis.com/google.cloud.healthcare.v1.OperationMetadata";

test.each([
  [{}, State.RUNNING],
  [{ metadata: { "@type": V1, cancelRequested: true } }, State.CANCELLING],
  [{ done: true, response: { "@type": "type.googleapis.com/google.protobuf.Empty" } }, State.SUCCEEDED],
  [{ done: true, error: { code: 13 } }, State.FAILED],
  [{ done: true, error: { code: 1 } }, State.CANCELLED],
  [{ done: true }, State.DONE_WITHOUT_RESULT],
  [{ done: true, error: {} }, State.FAILED],
  [{ done: true, error: { code: 0 } }, State.FAILED],
  [
    { done: true, metadata: { "@type": V1, cancelRequested: true }, response: { "@type": "a/b" } },
    State.SUCCEEDED,
  ],
])("%j is in state %d", (operation, state) => {
  expect(ofJson(operation).state).toBe(state);
});

test.each([OperationMetadataSchema, BetaSchema] as GenMessage<never>[])(
  "reads the metadata of either version",
  (schema) => {
    const metadata = create(
      schema as GenMessage<
        import("../../../gen/google/cloud/healthcare/v1/operation_metadata_pb.ts").OperationMetadata
      >,
      {
        createTime: timestampFromMs(1_000),
        endTime: timestampFromMs(5_000),
        cancelRequested: true,
        progress: { case: "counter", value: { pending: 3n, success: 2n, failure: 1n, secondarySuccess: 5n } },
      },
    );
    const any = {
      typeUrl: `type.googleapis.com/${schema.typeName}`,
      value: toBinary(schema as never, metadata as never),
    };
    expect(factsOf(create(OperationSchema, { name: "n", metadata: any }))).toMatchObject({
      createTime: 1_000,
      endTime: 5_000,
      cancelRequested: true,
      counters: { pending: 3n, success: 2n, failure: 1n, secondarySuccess: 5n, secondaryFailure: 0n },
    });
  },
);

test("reads the metadata of other Google APIs, which stands as a Struct", () => {
  const metadata = {
    "@type": "type.googleapis.com/google.cloud.speech.v2.OperationMetadata",
    createTime: "2026-01-01T00:00:00.123456789+01:00",
    endTime: "2026-01-01T00:00:01Z",
    requestedCancellation: true,
  };
  expect(ofJson({ metadata })).toMatchObject({
    createTime: Date.UTC(2025, 11, 31, 23, 0, 0, 123),
    endTime: Date.UTC(2026, 0, 1, 0, 0, 1),
    cancelRequested: true,
  });
});

test.each([
  { "@type": V1, createTime: "yesterday", counter: 7 },
  { createTime: 12, counter: { pending: "many" } },
  [1, 2],
  "text",
])("metadata %j hides nothing of the operation", (metadata) => {
  expect(ofJson({ done: true, error: { code: 1 }, metadata })).toMatchObject({
    done: true,
    state: State.CANCELLED,
  });
});

test("metadata whose bytes are broken counts as not said", () => {
  const metadata = { typeUrl: V1, value: new Uint8Array([0xff, 0xff, 0xff]) };
  expect(factsOf(create(OperationSchema, { name: "n", done: true, metadata }))).toMatchObject({
    done: true,
    createTime: undefined,
  });
});
