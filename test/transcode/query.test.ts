import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { ListOperationsRequestSchema } from "../../gen/google/longrunning/operations_pb.ts";
import {
  MAX_FILTER_BYTES,
  MAX_PAGE_TOKEN_BYTES,
  MAX_TARGET_LENGTH,
} from "../../src/transcode/field-limits.ts";
import { compileQuery } from "../../src/transcode/query.ts";
import { healthcareBindings, requestLine, transcode } from "../support/bindings.ts";
import { field, messagesOf } from "../support/descriptors.ts";

const REPEATED = { label: "LABEL_REPEATED" };
const messages = messagesOf(
  [
    {
      name: "Request",
      field: [
        field("a_text", 1, "STRING"),
        field("a_bool", 2, "BOOL"),
        field("an_int64", 3, "INT64"),
        field("a_double", 4, "DOUBLE"),
        field("some_bytes", 5, "BYTES"),
        field("an_enum", 6, ".test.E"),
        field("texts", 7, "STRING", REPEATED),
        field("enums", 8, ".test.E", REPEATED),
        field("opt_int", 9, "INT32", { proto3Optional: true, oneofIndex: 1 }),
        field("one_text", 10, "STRING", { oneofIndex: 0 }),
        field("one_int", 11, "INT32", { oneofIndex: 0 }),
        field("deep_er", 12, ".test.Outer"),
        field("a_duration", 13, ".google.protobuf.Duration"),
        field("a_time", 14, ".google.protobuf.Timestamp"),
        field("a_wrapper", 15, ".google.protobuf.BoolValue"),
      ],
      oneofDecl: [{ name: "choice" }, { name: "_opt_int" }],
    },
    { name: "Outer", field: [field("inner_most", 1, ".test.Inner"), field("flag", 2, "BOOL")] },
    { name: "Inner", field: [field("the_values", 1, "UINT32", REPEATED)] },
    { name: "Node", field: [field("next", 1, ".test.Node")] },
    { name: "Messages", field: [field("items", 1, ".test.Inner", REPEATED)] },
    { name: "Loose", field: [field("value", 1, ".google.protobuf.Struct")] },
    {
      name: "Mapped",
      field: [field("labels", 1, ".test.Mapped.LabelsEntry", REPEATED)],
      nestedType: [
        {
          name: "LabelsEntry",
          field: [field("key", 1, "STRING"), field("value", 2, "STRING")],
          options: { mapEntry: true },
        },
      ],
    },
  ],
  [
    {
      name: "E",
      value: [
        { name: "UNSET", number: 0 },
        { name: "FIRST", number: 1 },
      ],
    },
  ],
);

describe("compileQuery()", () => {
  const schema = messages("Request");
  const write = compileQuery(schema, new Set(["a_text"]));

  it.each<[Record<string, unknown>, string]>([
    [{}, ""],
    [{ aText: "bound elsewhere" }, ""],
    [{ aBool: true }, "aBool=true"],
    [{ anInt64: -9007199254740993n }, "anInt64=-9007199254740993"],
    [{ aDouble: Number.NaN }, "aDouble=NaN"],
    [{ aDouble: 1e21 }, "aDouble=1e%2B21"],
    [{ someBytes: Uint8Array.of(0xfb, 0xff) }, "someBytes=%2B%2F8%3D"],
    [{ anEnum: 1 }, "anEnum=FIRST"],
    [{ anEnum: 7 }, "anEnum=7"],
    [{ texts: ["a", "", "b&c"] }, "texts=a&texts=&texts=b%26c"],
    [{ enums: [0, 1] }, "enums=UNSET&enums=FIRST"],
    [{ optInt: 0 }, "optInt=0"],
    [{ choice: { case: "oneText", value: "" } }, "oneText="],
    [{ choice: { case: "oneInt", value: 5 } }, "oneInt=5"],
    [{ deepEr: { flag: true } }, "deepEr.flag=true"],
    [
      { deepEr: { innerMost: { theValues: [1, 2] } } },
      "deepEr.innerMost.theValues=1&deepEr.innerMost.theValues=2",
    ],
    [{ deepEr: {} }, ""],
    [{ aDuration: { seconds: 3n, nanos: 500_000_000 } }, "aDuration=3.500s"],
    [{ aTime: { seconds: 0n, nanos: 0 } }, "aTime=1970-01-01T00%3A00%3A00Z"],
    [{ aWrapper: false }, "aWrapper=false"],
    [{ aBool: true, anEnum: 1, texts: ["x"] }, "aBool=true&anEnum=FIRST&texts=x"],
  ])("writes %o as %s", (fields, query) => {
    if (typeof write !== "function") throw new Error("not compiled");
    expect(write(create(schema, fields as MessageInitShape<typeof schema>))).toBe(query);
  });

  it("names the field of a value that JSON cannot express", () => {
    if (typeof write !== "function") throw new Error("not compiled");
    const message = create(schema, { aDuration: { seconds: 400_000_000_000n } } as MessageInitShape<
      typeof schema
    >);
    expect(() => write(message)).toThrow("a_duration has a value that JSON cannot express");
  });

  it.each([
    ["Node", "next contains itself"],
    ["Messages", "items is a list of messages"],
    ["Loose", "value is a google.protobuf.Struct"],
    ["Mapped", "labels is a map"],
  ])("says that no query can hold %s", (name, problem) => {
    expect(compileQuery(messages(name), new Set())).toBe(problem);
  });

  it("is nothing when all fields are bound", () => {
    expect(compileQuery(messages("Node"), new Set(["next"]))).toBeUndefined();
    expect(compileQuery(ListOperationsRequestSchema, new Set(["name"]))).toBeTypeOf("function");
  });
});

describe("the query of a list", () => {
  const bindings = healthcareBindings();
  const name = "projects/p/locations/l/datasets/d";
  const list = (fields: Record<string, unknown>) =>
    requestLine(transcode(bindings, "list", { name, ...fields }));

  it.each<[string, Record<string, unknown>, string]>([
    ["a negative page_size", { pageSize: -1 }, 'page_size "-1" is negative'],
    [
      "a long filter",
      { filter: "x".repeat(MAX_FILTER_BYTES + 1) },
      `is longer than ${MAX_FILTER_BYTES} bytes`,
    ],
    ["a filter of many bytes", { filter: "𝒜".repeat(600) }, `is longer than ${MAX_FILTER_BYTES} bytes`],
    [
      "a long page_token",
      { pageToken: "x".repeat(MAX_PAGE_TOKEN_BYTES + 1) },
      `longer than ${MAX_PAGE_TOKEN_BYTES}`,
    ],
    ["half a character", { filter: "\ud83d" }, 'filter "\\u{d83d}" holds a lone surrogate'],
    [
      "fields that together are too long",
      { filter: "é".repeat(900), pageToken: "x".repeat(4000) },
      `page_token makes the URL longer than ${MAX_TARGET_LENGTH} characters`,
    ],
  ])("refuses %s", (_, fields, problem) => {
    expect(() => list(fields)).toThrow(problem);
  });

  it("passes a filter on as it is, controls and all", () => {
    expect(list({ filter: 'a="b\n" AND c:*' })).toBe(
      `GET /v1beta1/${name}/operations?filter=a%3D%22b%0A%22%20AND%20c%3A%2A`,
    );
  });

  it("takes the largest page_size and the longest texts", () => {
    expect(list({ pageSize: 2147483647 })).toContain("?pageSize=2147483647");
    expect(
      list({ filter: "x".repeat(MAX_FILTER_BYTES), pageToken: "y".repeat(MAX_PAGE_TOKEN_BYTES) }),
    ).toContain("=xx");
  });
});
