import { create, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { expect, test } from "vitest";
import { OperationSchema } from "../../gen/google/longrunning/operations_pb.ts";
import { isDone } from "../../src/lib/operation-done.ts";
import { decodeOperation } from "../../src/transcode/operation-codec.ts";
import { encode } from "../support/encode.ts";
import { anyOperation } from "../transcode/upstream-json.ts";

test("isDone agrees with the message, whatever else the operation holds", () => {
  fc.assert(
    fc.property(anyOperation, (json) => {
      const operation = decodeOperation(new TextEncoder().encode(JSON.stringify(json)));
      expect(isDone(operation)).toBe(operation.toMessage().done);
    }),
    { numRuns: 300 },
  );
});

test.for([0, 1, 127, 128, 20_000, 3_000_000])(
  "isDone goes over a name of %i bytes and fields it does not know",
  (length) => {
    for (const done of [true, false]) {
      const operation = create(OperationSchema, { name: "x".repeat(length), done });
      operation.$unknown = [
        {
          no: 100,
          wireType: 0,
          data: new Uint8Array([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]),
        },
        { no: 101, wireType: 1, data: new Uint8Array(8).fill(0x18) },
        { no: 102, wireType: 5, data: new Uint8Array(4).fill(0x18) },
      ];
      const bytes = toBinary(OperationSchema, operation);
      expect(isDone({ ...encode(OperationSchema, operation), toBinary: () => bytes })).toBe(done);
    }
  },
);
