import { create, fromJson } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { type Operation, OperationSchema } from "../../../gen/google/longrunning/operations_pb.ts";
import { registry } from "../../../src/lib/any-registry.ts";
import { Observation } from "../../../src/waiting/facts/observation.ts";
import { showsWhy } from "../../../src/waiting/share/filter-fields.ts";
import { cpuMs } from "../../support/cpu-time.ts";
import { encode } from "../../support/encode.ts";

const METADATA = { "@type": "type.googleapis.com/google.cloud.healthcare.v1.OperationMetadata" };

function seen(metadata: object, rest: object = {}): Observation {
  const json = { name: "operations/1", metadata: { ...METADATA, ...metadata }, ...rest };
  const operation: Operation = fromJson(OperationSchema, json as never, { registry });
  return new Observation(encode(OperationSchema, operation), 0, 0);
}

const RUNNING = seen({ counter: { pending: "9" } });
const ADVANCED = seen({ counter: { pending: "8", success: "1" } });
const CANCELLING = seen({ counter: { pending: "9" }, cancelRequested: true });
const DONE = seen(
  { counter: { success: "9" }, endTime: "2026-11-24T12:00:00Z" },
  { done: true, error: { code: 1, message: "cancelled" } },
);

test.each([
  ["done:false", false, false, true],
  ["done = false AND name:x", false, false, true],
  ["NOT done=true", false, false, true],
  ["metadata.end_time > 0", false, false, true],
  ["metadata.endTime>0", false, false, true],
  ["error.code != 1", false, false, true],
  ["metadata.cancelRequested=false", false, true, false],
  ["metadata.counter.pending > 8", true, false, true],
  ["metadata.counter.failure > 8", false, false, false],
  ['name:"done:false"', false, false, false],
  ["metadata.apiMethodName = 'endTime > 3'", false, false, false],
  // Of no field of an operation: they may stand for its state.
  ["status:running", false, true, true],
  ["running", false, true, true],
])(
  "the filter %s: progress is a reason %s, a requested cancel %s, the end %s",
  (filter, progress, cancelled, end) => {
    expect([ADVANCED, CANCELLING, DONE].map((found) => showsWhy(filter, RUNNING, found))).toEqual([
      progress,
      cancelled,
      end,
    ]);
    expect(showsWhy(filter, RUNNING, RUNNING)).toBe(false);
  },
);

test("an operation without metadata shows its end too", () => {
  const [before, after] = [false, true].map(
    (done) => new Observation(encode(OperationSchema, create(OperationSchema, { name: "a", done })), 0, 0),
  );
  expect(showsWhy("done:false", before!, after!)).toBe(true);
  expect(showsWhy("name:a", before!, after!)).toBe(false);
});

test.each([
  ["a word that nothing compares", "a".repeat(200_000)],
  ["a word and blanks", `a${" ".repeat(200_000)}`],
  ["words and blanks in turn", "a ".repeat(100_000)],
  ["a text without an end", `"${'\\"'.repeat(100_000)}`],
  ["texts of one kind in another", `'"`.repeat(100_000)],
])("reads %s once", (_what, filter) => {
  expect(cpuMs(() => showsWhy(filter, RUNNING, DONE))).toBeLessThan(1_000);
});
