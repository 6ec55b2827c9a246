import { create, equals, fromBinary, fromJsonString, toBinary } from "@bufbuild/protobuf";
import { EmptySchema, StringValueSchema, StructSchema } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  CancelOperationRequestSchema,
  ListOperationsRequestSchema,
  OperationSchema,
} from "../../gen/google/longrunning/operations_pb.ts";
import { BadRequestSchema } from "../../gen/google/rpc/error_details_pb.ts";
import { registry } from "../../src/lib/any-registry.ts";
import { createJsonCodec, protoCodec } from "../../src/transcode/message-codec.ts";
import { anyText } from "../support/any-text.ts";

const TYPES = [
  CancelOperationRequestSchema,
  ListOperationsRequestSchema,
  OperationSchema,
  StringValueSchema,
  EmptySchema,
  StructSchema,
];

describe("the JSON codec", () => {
  it("decodes what protobuf-es decodes, to an equal message, and refuses what it refuses", () => {
    const codec = createJsonCodec(registry);
    const key = fc.constantFrom("name", "name", "name", "value", "filter", "pageSize", "__proto__", "NAME");
    const value = fc.oneof(
      anyText({ maxLength: 300 }).map((text) => JSON.stringify(text)),
      fc.constantFrom('"\\ud800"', "null", "1", "true", '["a"]', '{"name":"a"}', "'a'"),
    );
    const space = fc.constantFrom("", "", " ", "\r\n\t", "\f");
    const member = fc.tuple(key, space, value).map(([name, gap, json]) => `"${name}"${gap}:${gap}${json}`);
    const object = fc
      .tuple(fc.array(member, { maxLength: 2 }), space)
      .map(([members, gap]) => `${gap}{${gap}${members.join(",")}${gap}}${gap}`);
    const text = fc.oneof(
      { weight: 9, arbitrary: object },
      fc.constantFrom("", "[]", '"name"', "null", "{} {}"),
    );
    fc.assert(
      fc.property(fc.constantFrom(...TYPES), text, (type, json) => {
        let expected: unknown;
        try {
          expected = fromJsonString(type, json, { registry, ignoreUnknownFields: true });
        } catch {
          expect(() => codec.decode(type, Buffer.from(json))).toThrowError(
            expect.objectContaining({ code: Code.InvalidArgument }),
          );
          return;
        }
        expect(codec.decode(type, Buffer.from(json))).toEqual(expected);
      }),
      { numRuns: 5_000 },
    );
  });
});

describe("protoCodec", () => {
  it("decodes what protobuf-es decodes, to an equal message, and refuses what it refuses", () => {
    const field = fc.record({
      tag: fc.constantFrom(0x0a, 0x0a, 0x0a, 0x12, 0x08, 0x22, 0x0b, 0x8a),
      value: fc.oneof(
        anyText({ maxLength: 140 }).map((text) => new TextEncoder().encode(text)),
        fc.uint8Array({ maxLength: 140 }),
      ),
      lie: fc.constantFrom(0, 0, 0, 0, 1, -1),
    });
    const bytes = fc.array(field, { maxLength: 3 }).map((fields) =>
      Buffer.concat(
        fields.map(({ tag, value, lie }) => {
          const length = value.length + lie;
          const prefix = length < 0 ? [] : length < 128 ? [length] : [(length & 127) | 128, length >> 7];
          return Buffer.from([tag, ...prefix, ...value]);
        }),
      ),
    );
    fc.assert(
      fc.property(fc.constantFrom(...TYPES), bytes, (type, bytes) => {
        let expected: unknown;
        try {
          expected = fromBinary(type, bytes);
        } catch {
          expect(() => protoCodec.decode(type, bytes)).toThrowError(
            expect.objectContaining({ code: Code.InvalidArgument }),
          );
          return;
        }
        expect(protoCodec.decode(type, bytes)).toEqual(expected);
      }),
      { numRuns: 5_000 },
    );
  });

  it.each([
    ["a name with half a surrogate pair", [0x22, 4, 0x61, 0xed, 0xa0, 0x80], "name"],
    ["a first string with a byte that is no UTF-8", [0x0a, 2, 0x61, 0xff], "filter"],
    ["a later string", [0x0a, 1, 0x61, 0x08, 1, 0x1a, 1, 0xff], "page_token"],
    ["bytes that end early", [0x0a, 9, 0x61], undefined],
    ["a wire type that does not exist", [0x0f], undefined],
  ])("names the field that is not UTF-8: %s", (_what, bytes, field) => {
    let error: unknown;
    try {
      protoCodec.decode(ListOperationsRequestSchema, Uint8Array.from(bytes));
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toMatchObject({ code: Code.InvalidArgument });
    const violations = ConnectError.from(error).details.flatMap((detail) =>
      "desc" in detail && detail.desc.typeName === BadRequestSchema.typeName ? [detail.value] : [],
    );
    expect(violations).toMatchObject(
      field === undefined ? [] : [{ fieldViolations: [{ field, description: "is not UTF-8" }] }],
    );
  });

  it("decodes a name of any script", () => {
    for (const name of [
      "",
      "a",
      "projects/p/locations/l/datasets/données/operations/1",
      "\ufffd",
      "😀",
      "x".repeat(127),
      "x".repeat(128),
    ]) {
      const message = create(CancelOperationRequestSchema, { name });
      const decoded = protoCodec.decode(
        CancelOperationRequestSchema,
        toBinary(CancelOperationRequestSchema, message),
      );
      expect(equals(CancelOperationRequestSchema, decoded as typeof message, message)).toBe(true);
    }
  });
});
