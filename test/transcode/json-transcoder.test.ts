import { type DescMessage, fromBinary, type JsonValue, type MessageShape } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ListOperationsResponseSchema, OperationSchema } from "../../gen/google/longrunning/operations_pb.ts";
import { registry } from "../../src/lib/any-registry.ts";
import type { Encoded } from "../../src/lib/encoded.ts";
import { JsonTranscoder } from "../../src/transcode/json-transcoder.ts";
import { planOf } from "../../src/transcode/message-plan.ts";
import { decodeListOperations, decodeOperation } from "../../src/transcode/operation-codec.ts";
import { decodePlainList, decodePlainOperation } from "../../src/transcode/plain-operation.ts";
import { anyOperation, sorted, viewOf } from "./upstream-json.ts";

const RUNS = Number(process.env["FUZZ_RUNS"] ?? 100);

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (json: Uint8Array) => new TextDecoder().decode(json);

/** What a decoder makes of a body; the same for two decoders only if they agree in everything but spelling. */
function outcome<Desc extends DescMessage>(
  desc: Desc,
  decode: (body: Uint8Array) => Encoded<MessageShape<Desc>>,
  plain: (body: Uint8Array) => Encoded<MessageShape<Desc>>,
  body: Uint8Array,
): string {
  try {
    const encoded = decode(body);
    const json = encoded.toJson();
    return sorted({
      binary: viewOf(desc, fromBinary(desc, encoded.toBinary()), registry),
      message: viewOf(desc, encoded.toMessage() as never, registry),
      // Blanks, defaults and the order of members are free in ProtoJSON: the plain way reads them all alike.
      json: JSON.parse(text(plain(json).toJson())),
      names: [...text(json).matchAll(/"@type"\s*:\s*"[^"]*"/g)].length,
    });
  } catch (error) {
    if (!(error instanceof Error) || error.name !== "UpstreamFailure") throw error;
    return error.message;
  }
}

function expectSame(body: Uint8Array): void {
  expect(outcome(OperationSchema, decodeOperation, decodePlainOperation, body), text(body)).toBe(
    outcome(OperationSchema, decodePlainOperation, decodePlainOperation, body),
  );
}

function expectSamePage(body: Uint8Array): void {
  expect(outcome(ListOperationsResponseSchema, decodeListOperations, decodePlainList, body), text(body)).toBe(
    outcome(ListOperationsResponseSchema, decodePlainList, decodePlainList, body),
  );
}

/** An operation as Healthcare sends it. */
const typical = fc
  .record({
    id: fc.bigInt({ min: 1n, max: 10n ** 19n }),
    dataset: fc.string({ unit: "grapheme", minLength: 1, maxLength: 20 }),
    version: fc.constantFrom("v1", "v1beta1"),
    seconds: fc.integer({ min: 86_400, max: 253402200000 }),
    fraction: fc.constantFrom("", ".5", ".070", ".000001", ".123456789"),
    zone: fc.constantFrom("Z", "Z", "Z", "+02:00", "-11:30", "+00:00", "+23:59"),
    counter: fc.option(
      fc.record({ pending: fc.nat().map(String), success: fc.nat().map(String) }, { requiredKeys: [] }),
    ),
    end: fc.constantFrom("running", "empty", "import", "error", "unknown"),
  })
  .map(({ id, dataset, version, seconds, fraction, zone, counter, end }) => {
    const createTime = new Date(seconds * 1000).toISOString().replace(/\.\d+Z$/, `${fraction}${zone}`);
    const type = (name: string) => `type.googleapis.com/google.cloud.healthcare.${version}.${name}`;
    const result: Record<string, object> = {
      running: {},
      empty: { done: true, response: { "@type": "type.googleapis.com/google.protobuf.Empty" } },
      import: { done: true, response: { "@type": type("fhir.ImportResourcesResponse") } },
      error: {
        done: true,
        error: {
          code: 1,
          message: "cancelled",
          details: [{ "@type": "type.googleapis.com/google.rpc.DebugInfo", detail: "d" }],
        },
      },
      unknown: {
        done: true,
        response: {
          "@type": type("fhir.BulkDeleteSummary"),
          resources: { n: 5, list: [1.5, "x", null, true] },
        },
      },
    };
    return {
      name: `projects/p/locations/us-central1/datasets/${dataset}/operations/${id}`,
      metadata: {
        "@type": type("OperationMetadata"),
        apiMethodName: `google.cloud.healthcare.${version}.fhir.FhirStoreService.ImportResources`,
        createTime,
        ...(counter ? { counter } : {}),
        logsUrl: `https://console.cloud.google.com/logs/query;query=${"x".repeat(Number(id % 300n))}`,
      },
      ...result[end],
    };
  });

/** The same object with its members in another order, at every level. */
function shuffled(json: JsonValue, seed: number): JsonValue {
  if (Array.isArray(json)) return json.map((item) => shuffled(item, seed));
  if (typeof json !== "object" || json === null) return json;
  const entries = Object.entries(json).map(([key, value]) => [key, shuffled(value, seed)] as const);
  return Object.fromEntries(entries.sort(([a], [b]) => ((a.length * seed) % 7) - ((b.length * seed) % 7)));
}

describe("the transcoder", () => {
  test("takes what Healthcare sends, in any order and with any blanks, and agrees with the plain way", () => {
    const plan = planOf(OperationSchema);
    if (!plan) throw new Error("no plan");
    const transcoder = new JsonTranscoder();
    fc.assert(
      fc.property(typical, fc.constantFrom(undefined, 1, "\t", 2), fc.nat(20), (operation, blanks, seed) => {
        const body = bytes(JSON.stringify(shuffled(operation as JsonValue, seed), null, blanks));
        const transcoded = transcoder.transcode(plan, body);
        expect(transcoded, text(body)).toBeDefined();
        expect(transcoded?.canonical, text(body)).toBe(!/Time":\s*"[^"]*:\d\d"/.test(text(body)));
        expectSame(body);
      }),
      { numRuns: RUNS },
    );
  });

  test("agrees with the plain way on whatever an upstream may send", () => {
    fc.assert(
      fc.property(anyOperation, (operation) => expectSame(bytes(JSON.stringify(operation)))),
      { numRuns: RUNS },
    );
  });

  test("agrees with the plain way on whole pages", () => {
    const page = fc.record(
      {
        operations: fc.array(fc.oneof(typical, anyOperation), { maxLength: 5 }),
        nextPageToken: fc.string(),
        unreachable: fc.array(fc.string()),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(page, (json) => expectSamePage(bytes(JSON.stringify(json)))),
      { numRuns: RUNS / 10 },
    );
  });

  test("agrees with the plain way on bodies with a few bytes changed, in what it reads and in what it refuses", () => {
    const edits = fc.array(
      fc.tuple(
        fc.nat(),
        fc.nat(3),
        fc.constantFrom(
          ...'[]{},:"\\ \n\u0001019.eE+-ntfu@_Zé',
          "\\u0041",
          "\\ud800",
          "null",
          '"@type":"x/y",',
          '"done":true,',
          "\ufffd",
        ),
      ),
      { minLength: 1, maxLength: 3 },
    );
    fc.assert(
      fc.property(fc.oneof(typical, anyOperation), edits, (operation, changes) => {
        let body = JSON.stringify(operation);
        for (const [at, drop, put] of changes) {
          const position = at % (body.length + 1);
          body = body.slice(0, position) + put + body.slice(position + drop);
        }
        expectSame(bytes(body));
      }),
      { numRuns: 3 * RUNS },
    );
  });

  test("agrees with the plain way on bytes that are no UTF-8", () => {
    fc.assert(
      fc.property(typical, fc.nat(), fc.integer({ min: 0x80, max: 0xff }), (operation, at, byte) => {
        const body = bytes(JSON.stringify(operation));
        body[at % body.length] = byte;
        expectSame(body);
      }),
      { numRuns: RUNS / 4 },
    );
  });

  test.for([
    '{"name":"n","name":"m"}',
    '{"name":"n","name":null}',
    '{"done":true,"done":false}',
    '{"name":"n","response":null,"error":{"code":1}}',
    '{"name":"n","error":{"code":1},"response":{}}',
    '{"name":"n","metadata":{"@type":"type.googleapis.com/google.rpc.DebugInfo","@type":"x/y"}}',
    '{"name":"n","metadata":{"detail":"d","@type":"x/y","@type":"type.googleapis.com/google.rpc.DebugInfo"}}',
    '{"name":"n","metadata":{"@type":"type.googleapis.com/google.rpc.DebugInfo","detail":"d","new":1,"new":2}}',
    '{"name":"n","metadata":{"a":1,"a":2}}',
    '{"name":"n","metadata":{"a":1,"\\u0061":2}}',
    '{"n\\u0061me":"n"}',
    '{"name":"n","metadata":{"\\u0040type":"type.googleapis.com/google.rpc.DebugInfo","detail":"d"}}',
    '{"name":"n","metadata":{"@type":"type.googleapis.com\\/google.rpc.DebugInfo","detail":"d"}}',
    '{"name":"n","error":{"@type":"x","code":3}}',
    '{"name":"n","error":{"code":3,"details":[null,5,{},"x",[]]}}',
    '{"name":"n","error":{"code":-1}}',
    '{"name":"n","done":true,"error":{"code":0}}',
    '{"name":"n","done":true,"error":{"code":null,"message":"m"}}',
    '{"name":"n","done":true,"error":{"message":"m"}}',
    '{"name":"n","done":true,"error":{}}',
    '{"name":"n","error":{"code":2147483648}}',
    '{"name":"n","unknownFields":{"a":1}}',
    '{"name":"n","metadata":{"@type":"type.googleapis.com/google.cloud.healthcare.v1.OperationMetadata","unknownFields":{"a":1},"b":2}}',
    '{"name":"n","metadata":{"@type":"type.googleapis.com/google.cloud.healthcare.v1.OperationMetadata","counter":{"success":"007"}}}',
    '{"name":"n","metadata":{"@type":"type.googleapis.com/google.cloud.healthcare.v1.OperationMetadata","counter":{"success":7}}}',
    '{"name":"n","metadata":{"@type":"type.googleapis.com/google.cloud.healthcare.v1.OperationMetadata","counter":{"success":1.0}}}',
    '{"name":"n","metadata":{"@type":"type.googleapis.com/google.cloud.healthcare.v1.OperationMetadata","counter":{"success":"-7"}}}',
    '{"name":"n","metadata":{"@type":"type.googleapis.com/google.cloud.healthcare.v1.consent.QueryAccessibleDataResponse","gcsUris":["","a",""]}}',
    '{"name":"n","metadata":{"@type":"type.googleapis.com/google.cloud.healthcare.v1.consent.QueryAccessibleDataResponse","gcsUris":["a",null]}}',
    '{"name":"n","metadata":{"@type":"type.googleapis.com/google.protobuf.Struct","value":{"a":1}}}',
    ...["Z", "+24:00", "-23:59", "+1:00", "z", "+01:60", "+0100", "", "-00:00", "+01:0a", "Z+01:00"].map(
      (zone) =>
        `{"name":"n","metadata":{"@type":"type.googleapis.com/google.cloud.healthcare.v1.OperationMetadata","createTime":"1970-01-01T00:00:00${zone}","endTime":"9999-12-31T23:59:59.9${zone}"}}`,
    ),
    '{"name":"n","metadata":{"@type":"type.googleapis.com/google.rpc.ErrorInfo","metadata":{"a":"b","a":"c"}}}',
    '{"name":"n","metadata":{"@type":"type.googleapis.com/google.rpc.ErrorInfo","metadata":{"a":null}}}',
    '{"name":"n","metadata":{"@type":"type.googleapis.com/google.rpc.ErrorInfo","metadata":{"a":5}}}',
    '{"name":"n","metadata":{"@type":"type.googleapis.com/google.rpc.ErrorInfo","metadata":{"":""}}}',
    '{"name":"n","metadata":{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"5s"},"response":{"@type":"x/y"}}',
    '{"name":"n","response":{"@type":"x/y"},"metadata":{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"5"}}',
    '{"name":"n","metadata":{"a":]}}',
    '{"name":"n","metadata":{"a":[}]}}',
    '{"name":"n"} ',
    ' \t\r\n{"name":"n"}',
    '{"name":"n",}',
    '{"name":"n"}{}',
    '\u000b{"name":"n"}',
    '{"name":"n","metadata":{"a":01}}',
    '{"name":"n","metadata":{"a":-}}',
    '{"name":"n","metadata":{"a":+1}}',
    '{"name":"n","metadata":{"a":1.}}',
    '{"name":"n","metadata":{"a":truex}}',
    '{"name":"n","metadata":{"a":nul}}',
    '{"name":"n","new":{"a":tru}}',
    '{"name":"n","new":"\\x"}',
    '{"name":"n","new":"a\u0001"}',
    '{"name":"n","new":[1,]}',
    '{"name":"n","done":tru}',
    '{"name":"n","done":"true"}',
  ])("agrees with the plain way on %s", (body) => {
    expectSame(bytes(body));
  });

  test("agrees with the plain way on every second of a leap year, a common one and a century", () => {
    for (const year of [1970, 2000, 2024, 2100, 9999])
      for (let day = 0; day < 366; day++) {
        const time = new Date(Date.UTC(year, 0, 1 + day, day % 24, day % 60, (day * 7) % 60)).toISOString();
        expectSame(
          bytes(
            `{"name":"n","metadata":{"@type":"type.googleapis.com/google.cloud.healthcare.v1.OperationMetadata","createTime":"${time}"}}`,
          ),
        );
      }
  });

  test.for([0, 1, 126, 127, 128, 129, 16_382, 16_383, 16_384, 70_000, 2_100_000])(
    "writes lengths of any size, here %i, after any other",
    (length) => {
      const long = "x".repeat(length);
      for (const body of [`{"name":"${long}n","new":{"a":["${long}"]}}`, '{"name":"n"}'])
        expectSame(bytes(body));
      expectSame(bytes(`{"name":"n","metadata":{"a":{"b":{"c":"${long}"}}}}`));
    },
  );

  test("hands a body on as it is to JSON callers where that is exact", () => {
    const body = bytes(
      '{ "name": "n", "metadata": {"@type":"type.googleapis.com/google.rpc.DebugInfo","newer":[1]} }',
    );
    expect(decodeOperation(body).toJson()).toBe(body);
    const unknown = bytes('{"name":"n","metadata": {"@type":"x/y","a":1},"response":5}');
    expect(text(decodeOperation(unknown).toJson())).toBe(
      '{"name":"n","metadata": {"@type":"type.googleapis.com/google.protobuf.Struct","value":{"@type":"x/y","a":1}},"response":{"@type":"type.googleapis.com/google.protobuf.Value","value":5}}',
    );
  });

  test("leaves one answer alone when it makes the next", () => {
    const first = decodeOperation(bytes('{"name":"first"}'));
    const kept = first.toBinary();
    const copy = kept.slice();
    decodeOperation(bytes('{"name":"second, and longer"}'));
    expect(kept).toEqual(copy);
  });
});
