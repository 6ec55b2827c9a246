/**
 * What transcoding costs a call, against the plain way: a regular expression over the name, encodeURIComponent on each
 * segment, and `new URL` to compare what a parser makes of the result. Run it with `node test/bench/transcode.ts`.
 *
 * Rounds are interleaved and the median counts, so that a busy machine slows both alike. The plain way does less: it
 * refuses fewer names and leaves `! ' ( ) *` unencoded.
 */
import { create } from "@bufbuild/protobuf";
import {
  CancelOperationRequestSchema,
  GetOperationRequestSchema,
  ListOperationsRequestSchema,
  Operations,
} from "../../gen/google/longrunning/operations_pb.ts";
import { loadBindings } from "../../src/transcode/load-bindings.ts";

const CALLS = 200_000;
const ROUNDS = 15;

const loaded = loadBindings({ rules: undefined, apiVersion: "v1beta1" });
if (!loaded.ok) throw new Error("the Healthcare rules do not compile");
const bindings = loaded.value;
const { getOperation, cancelOperation, listOperations } = Operations.method;

const names = Array.from(
  { length: 512 },
  (_, i) => `projects/my-project/locations/us-central1/datasets/d${i}`,
);
const gets = names.map((name) =>
  create(GetOperationRequestSchema, { name: `${name}/operations/1${name.length}` }),
);
const cancels = names.map((name) =>
  create(CancelOperationRequestSchema, { name: `${name}/operations/123456789` }),
);
const encoded = names.map((name) => create(GetOperationRequestSchema, { name: `${name}é:1/operations/123` }));
const lists = names.map((name) =>
  create(ListOperationsRequestSchema, { name, pageSize: 50, filter: "done=true" }),
);
const hostile = names.map((name) => create(GetOperationRequestSchema, { name: `${name}/../operations/1` }));

const SHAPE = /^projects\/[^/]+\/locations\/[^/]+\/datasets\/[^/]+\/operations\/[^/]+$/;

function plain(name: string): string {
  if (!SHAPE.test(name)) throw new Error("wrong shape");
  const path = `/v1beta1/${name.split("/").map(encodeURIComponent).join("/")}`;
  if (new URL(path, "http://upstream").pathname !== path) throw new Error("changed by the parser");
  return path;
}

const cases: Record<string, (i: number) => unknown> = {
  "get, plain way": (i) => plain(gets[i & 511]!.name),
  get: (i) => bindings.transcode(getOperation, gets[i & 511]!),
  "cancel, plain way": (i) => `${plain(cancels[i & 511]!.name)}:cancel`,
  cancel: (i) => bindings.transcode(cancelOperation, cancels[i & 511]!),
  "get, to be encoded, plain way": (i) => plain(encoded[i & 511]!.name),
  "get, to be encoded": (i) => bindings.transcode(getOperation, encoded[i & 511]!),
  "list with two parameters": (i) => bindings.transcode(listOperations, lists[i & 511]!),
  "get, refused": (i) => {
    try {
      return bindings.transcode(getOperation, hostile[i & 511]!);
    } catch (error) {
      return error;
    }
  },
};

const samples = new Map<string, number[]>();
let kept: unknown;
for (let round = 0; round <= ROUNDS; round++)
  for (const [name, run] of Object.entries(cases)) {
    const calls = name.includes("refused") ? CALLS / 20 : CALLS;
    const start = process.hrtime.bigint();
    for (let i = 0; i < calls; i++) kept = run(i);
    const nanoseconds = Number(process.hrtime.bigint() - start) / calls;
    // The first round warms up.
    if (round > 0) samples.set(name, [...(samples.get(name) ?? []), nanoseconds]);
  }
for (const [name, times] of samples) {
  const median = times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)] ?? 0;
  console.log(`${name.padEnd(32)} ${median.toFixed(0).padStart(7)} ns`);
}
if (kept === undefined) console.log("nothing was built");
