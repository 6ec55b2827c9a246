import { create } from "@bufbuild/protobuf";
import fc from "fast-check";
import { expect, test } from "vitest";
import { OperationSchema } from "../../gen/google/longrunning/operations_pb.ts";
import { hasIdOf, idOf } from "../../src/lib/operation-id.ts";
import { encode } from "../support/encode.ts";

const named = (name: string) => encode(OperationSchema, create(OperationSchema, { name, done: true }));

test.for([
  ["the same name", "projects/p/locations/l/datasets/d/operations/8", true],
  ["the project's number for its id", "projects/123/locations/l/datasets/d/operations/8", true],
  ["no collections before it", "operations/8", true],
  ["the id alone", "8", true],
  ["no name", "", true],
  ["another operation", "projects/p/locations/l/datasets/d/operations/9", false],
  ["a longer id with the same end", "projects/p/locations/l/datasets/d/operations/18", false],
  ["a shorter id", "operations/", false],
  ["something below it", "projects/p/locations/l/datasets/d/operations/8/x", false],
] as const)("an operation with %s: %s may be the one that was asked for: %s", ([, name, may]) => {
  expect(hasIdOf(named(name), "projects/p/locations/l/datasets/d/operations/8")).toBe(may);
});

test("hasIdOf agrees with the last segments of the names, whatever letters they have", () => {
  const segment = fc.string({ unit: fc.constantFrom("a", "b", "é", "𝔘", "-"), maxLength: 4 });
  const name = fc.array(segment, { minLength: 1, maxLength: 3 }).map((segments) => segments.join("/"));
  fc.assert(
    fc.property(name, name, (answered, asked) => {
      expect(hasIdOf(named(answered), asked)).toBe(answered === "" || idOf(answered) === idOf(asked));
    }),
    { numRuns: 2_000 },
  );
});
