import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { compileFieldBody, compileWholeBody } from "../../src/transcode/request-body.ts";
import { bindingsOf, requestLine, transcode } from "../support/bindings.ts";
import { field, messagesOf } from "../support/descriptors.ts";

const schema = messagesOf([
  {
    name: "Request",
    field: [
      field("name", 1, "STRING"),
      field("display_name", 2, "STRING"),
      field("counter", 3, "INT64"),
      field("timeout", 4, ".google.protobuf.Duration"),
    ],
  },
])("Request");

function message(fields: Record<string, unknown>) {
  return create(schema, fields as MessageInitShape<typeof schema>);
}

function text(body: Uint8Array | undefined) {
  return body && new TextDecoder().decode(body);
}

describe('body: "*"', () => {
  const write = compileWholeBody(schema, new Set(["name"]));
  it("leaves out what is in the path, and what is not set", () => {
    expect(text(write(message({ name: "n" })))).toBe("{}");
    expect(text(write(message({ name: "n", displayName: "é", counter: 5n })))).toBe(
      '{"displayName":"é","counter":"5"}',
    );
  });
  it("refuses half a character", () => {
    expect(() => write(message({ displayName: "a\ud800" }))).toThrow("display_name");
  });
});

describe("body: a field", () => {
  const timeout = schema.fields.find(({ name }) => name === "timeout");
  if (!timeout) throw new Error("no such field");
  const write = compileFieldBody(schema, timeout);
  it("is the field's value alone, and no body when it is not set", () => {
    expect(text(write(message({ timeout: { seconds: 1n, nanos: 0 } })))).toBe('"1s"');
    expect(write(message({ name: "n" }))).toBeUndefined();
  });
});

describe("a wait by rule", () => {
  const wait = (rule: string, fields: Record<string, unknown>) => {
    const rules = `http: {rules: [{selector: google.longrunning.Operations.WaitOperation, ${rule}}]}`;
    return requestLine(transcode(bindingsOf(rules, "v1"), "wait", { name: "operations/1", ...fields }));
  };
  const fields = { timeout: { seconds: 2n, nanos: 0 } };
  it("without body has its timeout in the query", () => {
    expect(wait('post: "/v1/{name=operations/*}:wait"', fields)).toBe(
      "POST /v1/operations/1:wait?timeout=2s",
    );
  });
  it("with a field as body has the other fields in the query", () => {
    expect(wait('post: "/v1/ops:wait", body: timeout', fields)).toBe(
      'POST /v1/ops:wait?name=operations%2F1 "2s"',
    );
  });
});
