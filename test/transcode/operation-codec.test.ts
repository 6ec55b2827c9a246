import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { fromBinary, type JsonObject, toJson } from "@bufbuild/protobuf";
import { anyUnpack, StructSchema, ValueSchema } from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "vitest";
import { OperationMetadataSchema } from "../../gen/google/cloud/healthcare/v1/operation_metadata_pb.ts";
import { ListOperationsResponseSchema, OperationSchema } from "../../gen/google/longrunning/operations_pb.ts";
import { UpstreamFailure } from "../../src/errors/from-failure.ts";
import { ANY_MAX_DEPTH } from "../../src/lib/any-json.ts";
import { registry } from "../../src/lib/any-registry.ts";
import { LIST_MAX_BYTES, ListTooLarge } from "../../src/transcode/list-limit.ts";
import { decodeListOperations, decodeOperation } from "../../src/transcode/operation-codec.ts";

const METADATA = "type.googleapis.com/google.cloud.healthcare.v1.OperationMetadata";
const STRUCT = "type.googleapis.com/google.protobuf.Struct";

const bytes = (text: string) => new TextEncoder().encode(text);
const viewJson = (body: string): JsonObject => parse(decodeOperation(bytes(body)).toJson());
const parse = (json: Uint8Array): JsonObject => JSON.parse(new TextDecoder().decode(json));

/** The operation as a client sees it that speaks binary and prints with the gateway's types. */
function viewBinary(body: string): JsonObject {
  const operation = fromBinary(OperationSchema, decodeOperation(bytes(body)).toBinary());
  return JSON.parse(JSON.stringify(toJson(OperationSchema, operation, { registry })));
}

function expectBoth(body: string, expected: object): void {
  expect(viewJson(body)).toEqual(expected);
  expect(viewBinary(body)).toEqual(expected);
}

describe("decodeOperation", () => {
  test("gives known types to both kinds of callers as the upstream sent them", () => {
    const operation = {
      name: "projects/p/locations/l/datasets/d/operations/1",
      metadata: {
        "@type": METADATA,
        apiMethodName: "google.cloud.healthcare.v1.fhir.FhirStoreService.ImportResources",
        createTime: "2026-02-03T04:05:06.070809Z",
        counter: { pending: "9223372036854775807", success: "7" },
      },
      done: true,
      response: { "@type": "type.googleapis.com/google.protobuf.Empty" },
    };
    expectBoth(JSON.stringify(operation), operation);
  });

  test("keeps the error of an operation as it is: a google.rpc code, and every detail", () => {
    const operation = {
      name: "n",
      done: true,
      error: {
        code: 1,
        message: "cancelled",
        details: [
          { "@type": "type.googleapis.com/google.rpc.DebugInfo", detail: "d" },
          { "@type": STRUCT, value: { "@type": "type.googleapis.com/x.Unheard", n: 1 } },
        ],
      },
    };
    const [debug, wrapped] = operation.error.details;
    const sent = { ...operation, error: { ...operation.error, details: [debug, wrapped?.value] } };
    expectBoth(JSON.stringify(sent), operation);
  });

  test.each<[string, object]>([
    ["0", { code: 0, message: "m" }],
    ["none", { message: "m" }],
    ["null", { code: null, message: "m" }],
  ])("gives an error whose code is %s code 2, since 0 means success", (_what, error) => {
    const body = JSON.stringify({ name: "n", done: true, error });
    const expected = { name: "n", done: true, error: { code: 2, message: "m" } };
    expectBoth(body, expected);
    const page = decodeListOperations(bytes(`{"operations":[${body}]}`));
    expect(parse(page.toJson())).toEqual({ operations: [expected] });
    const { operations } = fromBinary(ListOperationsResponseSchema, page.toBinary());
    expect(operations).toMatchObject([{ result: { case: "error", value: { code: 2, message: "m" } } }]);
  });

  test("keeps an unknown type as a Struct with its @type", () => {
    const metadata = {
      "@type": "type.googleapis.com/google.cloud.healthcare.v9.New",
      a: [1, { b: null }],
      c: "é😀",
    };
    expectBoth(JSON.stringify({ name: "n", metadata }), {
      name: "n",
      metadata: { "@type": STRUCT, value: metadata },
    });
  });

  test("keeps a newer field in its place in JSON, and in unknown_fields in binary, at every level", () => {
    const metadata = { "@type": METADATA, counter: { success: "1", skipped: "2" }, shard: { id: 7 } };
    expect(viewJson(JSON.stringify({ name: "n", metadata }))).toEqual({ name: "n", metadata });
    expect(viewBinary(JSON.stringify({ name: "n", metadata }))).toEqual({
      name: "n",
      metadata: {
        "@type": METADATA,
        counter: { success: "1", unknownFields: { skipped: "2" } },
        unknownFields: { shard: { id: 7 } },
      },
    });
  });

  test("moves a value of another type aside, so that strict readers can read the rest", () => {
    const body = { name: "n", metadata: { "@type": METADATA, createTime: 5, logsUrl: "u", counter: "x" } };
    expectBoth(JSON.stringify(body), {
      name: "n",
      metadata: { "@type": METADATA, logsUrl: "u", unknownFields: { createTime: 5, counter: "x" } },
    });
  });

  test("never lets metadata or response hide name, done or error", () => {
    for (const odd of [
      "5",
      '"x"',
      "[1]",
      "true",
      '{"@type":5}',
      '{"@type":""}',
      '{"a":1}',
      `{"@type":"${METADATA}","counter":[]}`,
    ]) {
      for (const view of [viewJson, viewBinary]) {
        expect(view(`{"metadata":${odd},"name":"n","done":true,"response":${odd}}`)).toMatchObject({
          name: "n",
          done: true,
        });
        const failed = view(
          `{"metadata":${odd},"name":"n","done":true,"error":{"code":5,"details":[${odd},null]}}`,
        );
        expect(failed).toMatchObject({ name: "n", done: true, error: { code: 5 } });
      }
    }
  });

  test("wraps scalars and arrays in a Value", () => {
    const body = JSON.stringify({ name: "n", metadata: [1, "a"] });
    expectBoth(body, {
      name: "n",
      metadata: { "@type": "type.googleapis.com/google.protobuf.Value", value: [1, "a"] },
    });
  });

  test("takes a failed operation for failed, whatever its error is", () => {
    const VALUE = "type.googleapis.com/google.protobuf.Value";
    expectBoth('{"name":"n","done":true,"error":"boom"}', {
      name: "n",
      done: true,
      error: { code: 2, details: [{ "@type": VALUE, value: "boom" }] },
    });
    expect(viewBinary('{"name":"n","done":true,"error":{"code":"NOT_A_NUMBER"}}')).toMatchObject({
      error: { code: 2 },
    });
    expect(viewBinary('{"name":"n","done":true,"error":{"code":99999999999}}')).toMatchObject({
      error: { code: 2 },
    });
  });

  test("takes the error where error and response are both sent, in either order, and keeps the response", () => {
    for (const body of [
      '{"name":"n","error":{"code":3},"response":{"a":1}}',
      '{"name":"n","response":{"a":1},"error":{"code":3}}',
    ])
      expect(viewJson(body)).toEqual({
        name: "n",
        error: { code: 3 },
        unknownFields: { response: { a: 1 } },
      });
    expectBoth('{"name":"n","error":null,"done":true}', { name: "n", done: true });
  });

  test("keeps numbers that a double cannot hold as text, and every other as a number", () => {
    const sent = '{"a":9007199254740993,"b":1e400,"c":0.1,"d":-0,"e":1.0,"f":9223372036854775807}';
    const value = { a: "9007199254740993", b: "1e400", c: 0.1, d: 0, e: 1, f: "9223372036854775807" };
    expectBoth(`{"name":"n","metadata":${sent}}`, { name: "n", metadata: { "@type": STRUCT, value } });
    const counter =
      '{"pending":9007199254740993,"success":-0,"failure":"-9223372036854775808","secondarySuccess":1e400}';
    const metadata = `{"@type":"${METADATA}","counter":${counter}}`;
    expect(viewBinary(`{"name":"n","metadata":${metadata}}`)).toEqual({
      name: "n",
      metadata: {
        "@type": METADATA,
        counter: {
          pending: "9007199254740993",
          failure: "-9223372036854775808",
          unknownFields: { secondarySuccess: "1e400" },
        },
      },
    });
  });

  test("keeps the sign of a negative zero in binary", () => {
    const any = fromBinary(
      OperationSchema,
      decodeOperation(bytes('{"name":"n","metadata":{"a":-0}}')).toBinary(),
    ).metadata;
    const kind = any && anyUnpack(any, StructSchema)?.fields["a"]?.kind;
    expect(kind).toEqual({ case: "numberValue", value: -0 });
  });

  test("replaces what UTF-8 cannot hold", () => {
    expect(viewBinary('{"name":"a\\ud800b","metadata":{"\\udfffk":"\\ud83dx"}}')).toEqual({
      name: "a\ufffdb",
      metadata: { "@type": STRUCT, value: { "\ufffdk": "\ufffdx" } },
    });
    const invalid = Buffer.from('{"name":"n\xff"}', "latin1");
    expect(parse(decodeOperation(invalid).toJson())).toEqual({ name: "n\ufffd" });
  });

  test("keeps any member name as data", () => {
    const body = '{"name":"n","metadata":{"__proto__":{"polluted":1},"constructor":2,"":3}}';
    expect(Object.entries((viewJson(body)["metadata"] as { value: object }).value)).toEqual([
      ["__proto__", { polluted: 1 }],
      ["constructor", 2],
      ["", 3],
    ]);
    const any = decodeOperation(bytes(body)).toMessage().metadata;
    const struct = any && anyUnpack(any, StructSchema);
    expect(Object.keys(struct?.fields ?? {})).toEqual(["__proto__", "constructor", ""]);
    expect(({} as { polluted?: number }).polluted).toBeUndefined();
  });

  test(`keeps what is nested deeper than ${ANY_MAX_DEPTH} levels as text, so that every client can decode it`, () => {
    for (const levels of [ANY_MAX_DEPTH, ANY_MAX_DEPTH + 1, 1000, 20_000]) {
      const text = `${'{"a":'.repeat(levels)}1${"}".repeat(levels)}`;
      const view = viewBinary(`{"name":"n","metadata":${text}}`);
      expect(viewJson(`{"name":"n","metadata":${text}}`)).toEqual(view);
      let at = (view["metadata"] as JsonObject)["value"] as JsonObject;
      for (let level = 1; level < ANY_MAX_DEPTH; level++) at = at["a"] as JsonObject;
      const rest = `${'{"a":'.repeat(levels - ANY_MAX_DEPTH)}1${"}".repeat(levels - ANY_MAX_DEPTH)}`;
      expect(at["a"]).toEqual(levels === ANY_MAX_DEPTH ? 1 : rest);
    }
  });

  test("bounds nested Anys the same way", () => {
    const levels = 200;
    const text = `${'{"@type":"type.googleapis.com/google.protobuf.Any","value":'.repeat(levels)}{}${"}".repeat(levels)}`;
    expect(viewBinary(`{"name":"n","done":true,"metadata":${text}}`)).toMatchObject({
      name: "n",
      done: true,
    });
    expect(viewJson(`{"name":"n","metadata":${text}}`)).toEqual(
      viewBinary(`{"name":"n","metadata":${text}}`),
    );
  });

  test.for([
    ["2026-02-30T00:00:00Z"],
    ["2026-02-03T04:05:60Z"],
    ["2026-02-03 04:05:06Z"],
    ["2026-02-03T04:05:06.1234567890Z"],
    ["10000-01-01T00:00:00Z"],
    [""],
  ])("does not take %j for a time", ([time]) => {
    const metadata = { "@type": METADATA, createTime: time };
    expectBoth(JSON.stringify({ name: "n", metadata }), {
      name: "n",
      metadata: { "@type": METADATA, unknownFields: { createTime: time } },
    });
  });

  test("takes a time with an offset, and member names in snake case", () => {
    expectBoth(
      `{"name":"n","metadata":{"@type":"${METADATA}","create_time":"2026-02-03T05:05:06.5+01:00"}}`,
      {
        name: "n",
        metadata: { "@type": METADATA, createTime: "2026-02-03T04:05:06.500Z" },
      },
    );
  });

  test("does not take hexadecimal for an integer", () => {
    expect(
      viewBinary(`{"name":"n","metadata":{"@type":"${METADATA}","counter":{"success":"0x10"}}}`),
    ).toMatchObject({
      metadata: { counter: { unknownFields: { success: "0x10" } } },
    });
  });

  test("keeps an @type as it was spelt", () => {
    const metadata = {
      "@type": "example.com/types/google.cloud.healthcare.v1.OperationMetadata",
      logsUrl: "u",
    };
    expectBoth(JSON.stringify({ name: "n", metadata }), { name: "n", metadata });
    const bare = { "@type": "google.cloud.healthcare.v1.OperationMetadata", logsUrl: "u" };
    expectBoth(JSON.stringify({ name: "n", metadata: bare }), {
      name: "n",
      metadata: { "@type": STRUCT, value: bare },
    });
  });

  test("reads JSON behind a byte order mark, with blanks, and with @type last", () => {
    const body = `\ufeff {\n  "metadata" : { "logsUrl":"u", "@type":"${METADATA}" },\r\n\t"name": "n" }\n`;
    expectBoth(body, { name: "n", metadata: { "@type": METADATA, logsUrl: "u" } });
  });

  test("keeps its bytes", () => {
    const encoded = decodeOperation(bytes('{"name":"n"}'));
    expect(encoded.toBinary()).toBe(encoded.toBinary());
    expect(encoded.toJson()).toBe(encoded.toJson());
    expect(encoded.toMessage().name).toBe("n");
    expect(encoded.schema).toBe(OperationSchema);
  });

  test.for([
    "",
    "<html></html>",
    "OK",
    "null",
    "5",
    '"n"',
    "[]",
    '[{"name":"n"}]',
    '{"name":"n"',
    "{}",
    '{"name":""}',
    '{"metadata":{}}',
    '{"error":{"code":404,"message":"m","status":"NOT_FOUND"}}',
    '{"name":"n"}x',
    "{'name':'n'}",
  ])("refuses %j, which is no operation", (body) => {
    expect(() => decodeOperation(bytes(body))).toThrow(expect.objectContaining({ kind: "malformed" }));
    expect(() => decodeOperation(bytes(body))).toThrow(UpstreamFailure);
  });

  test("takes a finished operation without a name or a result", () => {
    expectBoth('{"done":true}', { done: true });
    expectBoth('{"name":"n","done":true}', { name: "n", done: true });
  });
});

describe("decodeListOperations", () => {
  test("gives the whole page", () => {
    const page = {
      operations: [{ name: "a" }, { name: "b", done: true }],
      nextPageToken: "t",
      unreachable: ["projects/p/locations/l"],
    };
    const encoded = decodeListOperations(bytes(JSON.stringify(page)));
    expect(parse(encoded.toJson())).toEqual(page);
    const decoded = fromBinary(ListOperationsResponseSchema, encoded.toBinary());
    expect(toJson(ListOperationsResponseSchema, decoded, { registry })).toEqual(page);
  });

  test("takes an empty object for an empty page", () => {
    expect(decodeListOperations(bytes("{}")).toMessage().operations).toEqual([]);
    expect(decodeListOperations(bytes('{"operations":null}')).toBinary()).toEqual(new Uint8Array());
  });

  test("does not let one odd entry cost the page", () => {
    const page =
      '{"operations":[{"name":"a"},null,5,{"metadata":{"@type":"x/y"}},{"name":"b","done":"yes"}]}';
    const operations = decodeListOperations(bytes(page)).toMessage().operations;
    expect(operations.map(({ name }) => name)).toEqual(["a", "", "", "", "b"]);
    const odd = operations[2]?.metadata;
    expect(odd && anyUnpack(odd, ValueSchema)?.kind).toEqual({ case: "numberValue", value: 5 });
  });

  test.for(["", "[]", "null", '{"operations":{}}', '{"operations":5}', '{"operations":[{}'])(
    "refuses %j, which is no page",
    (body) => {
      expect(() => decodeListOperations(bytes(body))).toThrow(expect.objectContaining({ kind: "malformed" }));
    },
  );

  test("refuses a page that clients would refuse, and says which page size would do", () => {
    const page = (count: number, size: number) =>
      bytes(JSON.stringify({ operations: Array(count).fill({ name: "n".repeat(size) }) }));
    expect(decodeListOperations(page(4, 1_000_000)).toBinary().length).toBeLessThanOrEqual(LIST_MAX_BYTES);
    const tooLarge = thrownBy(() => decodeListOperations(page(100, 50_000)));
    expect(tooLarge).toBeInstanceOf(ListTooLarge);
    expect(tooLarge).toMatchObject({ operations: 100, pageSize: 41 });
    const error = (tooLarge as ListTooLarge).toError();
    expect(error.rawMessage).toContain("page_size 41");
    expect(thrownBy(() => decodeListOperations(page(1, 5_000_000)))).toMatchObject({ pageSize: 0 });
  });

  test("measures in protobuf bytes, where wrapped JSON is larger", () => {
    const page = bytes(
      JSON.stringify({ operations: [{ name: "n", metadata: { a: Array(400_000).fill(1) } }] }),
    );
    expect(page.length).toBeLessThan(LIST_MAX_BYTES);
    expect(thrownBy(() => decodeListOperations(page))).toBeInstanceOf(ListTooLarge);
  });
});

describe("known types", () => {
  test("are typed for those who hold the gateway's protos", () => {
    const body = `{"name":"n","metadata":{"@type":"${METADATA}","counter":{"success":"5"}}}`;
    const any = fromBinary(OperationSchema, decodeOperation(bytes(body)).toBinary()).metadata;
    const metadata = any && anyUnpack(any, OperationMetadataSchema);
    expect(metadata?.progress).toMatchObject({ case: "counter", value: { success: 5n } });
  });
});

function thrownBy(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  return undefined;
}

test("a long name of a member takes its bytes of memory, and not an object for each letter", async () => {
  const codec = new URL("../../src/transcode/operation-codec.ts", import.meta.url).href;
  const program = `import(${JSON.stringify(codec)}).then(({ decodeOperation }) => {
    decodeOperation(Buffer.from('{"name":"operations/1","' + "n".repeat(16 * 1024 * 1024) + '":true}'));
  });`;
  const worker = new Worker(program, { eval: true, resourceLimits: { maxOldGenerationSizeMb: 128 } });
  expect(await once(worker, "exit")).toEqual([0]);
});
