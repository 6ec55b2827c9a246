import { fromBinary, fromJson, type JsonObject, type JsonValue } from "@bufbuild/protobuf";
import fc from "fast-check";
import { expect, test } from "vitest";
import { ListOperationsResponseSchema, OperationSchema } from "../../gen/google/longrunning/operations_pb.ts";
import { registry } from "../../src/lib/any-registry.ts";
import { decodeListOperations, decodeOperation } from "../../src/transcode/operation-codec.ts";
import { anyJson, anyOperation, expectSameOperation, sameAny, sameJson, viewOf } from "./upstream-json.ts";

const bytes = (json: unknown) => new TextEncoder().encode(JSON.stringify(json));
const parse = (json: Uint8Array): JsonObject => JSON.parse(new TextDecoder().decode(json));

test("any operation is decoded, and its JSON and its binary show what the upstream sent", () => {
  fc.assert(
    fc.property(anyOperation, (sent) => {
      const encoded = decodeOperation(bytes(sent));
      expectSameOperation(sent, parse(encoded.toJson()));
      const decoded = fromBinary(OperationSchema, encoded.toBinary());
      expectSameOperation(sent, viewOf(OperationSchema, decoded, registry) as JsonObject);
      // What the gateway prints, a strict reader with the same types takes.
      fromJson(OperationSchema, parse(encoded.toJson()), { registry, ignoreUnknownFields: true });
    }),
    { numRuns: Number(process.env["FUZZ_RUNS"] ?? 100) },
  );
});

test("any page is decoded, and no operation hides another", () => {
  const page = fc.record(
    {
      operations: fc.array(
        fc.oneof(
          { weight: 5, arbitrary: anyOperation },
          { weight: 1, arbitrary: fc.oneof(fc.constant(5), fc.constant("x"), fc.constant([1])) },
        ),
      ),
      nextPageToken: fc.string(),
      unreachable: fc.array(fc.string()),
      more: anyJson,
    },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(page, (sent) => {
      const encoded = decodeListOperations(bytes(sent));
      const decoded = fromBinary(ListOperationsResponseSchema, encoded.toBinary());
      const binary = viewOf(ListOperationsResponseSchema, decoded, registry) as JsonObject;
      for (const seen of [parse(encoded.toJson()), binary]) {
        const operations = (seen["operations"] ?? []) as JsonObject[];
        expect(operations).toHaveLength(sent.operations?.length ?? 0);
        for (const [index, operation] of (sent.operations ?? []).entries())
          if (typeof operation === "object" && !Array.isArray(operation))
            expectSameOperation(operation as JsonObject, operations[index] as JsonObject);
          else expect(sameAny(operation as JsonValue, operations[index]?.["metadata"])).toBe(true);
        expect(seen["nextPageToken"] ?? "").toBe(sent.nextPageToken ?? "");
        expect(seen["unreachable"] ?? []).toEqual(sent.unreachable ?? []);
      }
    }),
    { numRuns: 100 },
  );
});

test("the last of equal members counts, wherever they are", () => {
  const member = fc.tuple(fc.constantFrom("name", "done", "metadata", "a", "@type", "counter"), anyJson);
  fc.assert(
    fc.property(fc.array(member, { maxLength: 8 }), (entries) => {
      const text = `{${entries.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`).join(",")}}`;
      const once = JSON.stringify(JSON.parse(text));
      const body = (metadata: string) =>
        new TextEncoder().encode(`{"name":"n","metadata":{"x":${metadata}}}`);
      const twice = decodeOperation(body(text));
      expect(sameJson(parse(twice.toJson()), parse(decodeOperation(body(once)).toJson()))).toBe(true);
      expect(twice.toBinary()).toEqual(decodeOperation(body(once)).toBinary());
    }),
  );
});
