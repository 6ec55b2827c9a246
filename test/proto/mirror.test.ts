import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { clone, createFileRegistry } from "@bufbuild/protobuf";
import {
  type DescriptorProto,
  type FieldDescriptorProto,
  FieldDescriptorProto_Label,
  FieldDescriptorProto_Type,
  type FileDescriptorProto,
  FileDescriptorSetSchema,
} from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "vitest";
import { bufImage } from "../support/buf-image.ts";
import { descriptorDifferences } from "../support/descriptor-differences.ts";
import { type DescriptorFacts, descriptorFacts } from "../support/descriptor-facts.ts";

/** The protos that Google publishes, as the google-gax package carries them. */
const PUBLISHED = "node_modules/google-gax/build/protos";

/** Mirrored in part, on purpose: of this file only the options, as the file itself says. */
const OPTIONS_ONLY = "google/api/client.proto";

const ours = bufImage("proto");
const mirrored = ours.file.map((file) => file.name).filter(isMirror);
const published = bufImage(PUBLISHED, mirrored);
const original = promised(published);

/** Every Google file of ours, except the ones Google does not publish and the ones that buf brings along. */
function isMirror(file: string): boolean {
  return file.startsWith("google/") && !/^google\/(cloud\/healthcare|protobuf)\//.test(file);
}

/** What of the published files the mirror promises to say: everything, but of OPTIONS_ONLY just the extensions. */
function promised(set: typeof published): DescriptorFacts {
  const whole = mirrored.filter((file) => file !== OPTIONS_ONLY);
  const options = [...descriptorFacts(set, [OPTIONS_ONLY])].filter(([subject]) =>
    /^(file|extension) /.test(subject),
  );
  return new Map([...descriptorFacts(set, whole), ...options]);
}

describe("the mirrored protos", () => {
  test("say what the published ones say, in every file, message, field, enum, method, option and extension", () => {
    expect(descriptorDifferences(descriptorFacts(ours, mirrored), original)).toEqual([]);
  });

  test("cover the files that the gateway promises", () => {
    expect(mirrored.sort()).toEqual([
      "google/api/annotations.proto",
      "google/api/client.proto",
      "google/api/field_behavior.proto",
      "google/api/http.proto",
      "google/longrunning/operations.proto",
      "google/rpc/code.proto",
      "google/rpc/error_details.proto",
      "google/rpc/status.proto",
    ]);
  });

  test("are compared in full: the facts include each kind, with the values of the public definition", () => {
    const fact = (subject: string, aspect: string) => original.get(subject)?.get(aspect);
    expect(fact("field google.longrunning.ListOperationsRequest.name", "number")).toBe("4");
    expect(fact("field google.longrunning.Operation.error", "oneofIndex")).toBe('"result"');
    expect(fact("field google.rpc.QuotaFailure.Violation.future_quota_value", "proto3Optional")).toBe("true");
    expect(fact("enum value google.rpc.Code.UNAUTHENTICATED", "number")).toBe("16");
    expect(fact("extension google.api.http", "number")).toBe("72295728");
    expect(fact("method google.longrunning.Operations.WaitOperation", "options")).toBe("{}");
    expect(fact("method google.longrunning.Operations.CancelOperation", "options")).toBe(
      '{"[google.api.http]":{"body":"*","post":"/v1/{name=operations/**}:cancel"},"[google.api.method_signature]":["name"]}',
    );
    const kinds = [...original.keys()].map((subject) => subject.replace(/ [a-z]+[./].*/, ""));
    expect([...new Set(kinds)].sort()).toEqual(
      ["enum", "enum value", "extension", "field", "file", "message", "method", "oneof", "service"].sort(),
    );
  });
});

/** A slip of the pen in a proto file: the file, what is replaced by what, and how it must be reported. */
type Slip = readonly [file: string, from: string, to: string, reports: readonly string[]];

const operations = "google/longrunning/operations.proto";
const lro = "google.longrunning";

const SLIPS: Record<string, Slip> = {
  "a field's number": [
    operations,
    "string name = 4;",
    "string name = 6;",
    [`field ${lro}.ListOperationsRequest.name: number is 6, not 4`],
  ],
  "a field's type": [
    operations,
    "int32 page_size = 2;",
    "int64 page_size = 2;",
    [`field ${lro}.ListOperationsRequest.page_size: type is "TYPE_INT64", not "TYPE_INT32"`],
  ],
  "a field's label": [
    operations,
    "repeated Operation operations = 1;",
    "Operation operations = 1;",
    [`field ${lro}.ListOperationsResponse.operations: label is "LABEL_OPTIONAL", not "LABEL_REPEATED"`],
  ],
  "a field's name": [
    operations,
    "string next_page_token = 2;",
    "string next_token = 2;",
    [
      `field ${lro}.ListOperationsResponse.next_page_token is missing`,
      `field ${lro}.ListOperationsResponse.next_token is not in the original`,
    ],
  ],
  "a field's JSON name": [
    "google/rpc/error_details.proto",
    "string request_id = 1;",
    'string request_id = 1 [json_name = "id"];',
    ['field google.rpc.RequestInfo.request_id: jsonName is "id", not "requestId"'],
  ],
  "a field's message type": [
    operations,
    "google.rpc.Status error = 4;",
    "google.protobuf.Any error = 4;",
    [`field ${lro}.Operation.error: typeName is ".google.protobuf.Any", not ".google.rpc.Status"`],
  ],
  "a field that has left its oneof": [
    operations,
    "google.protobuf.Any response = 5;\n  }",
    "}\n  google.protobuf.Any response = 5;",
    [`field ${lro}.Operation.response: oneofIndex is unset, not "result"`],
  ],
  "a field that lost its presence": [
    "google/rpc/error_details.proto",
    "optional int64 future_quota_value",
    "int64 future_quota_value",
    [
      'field google.rpc.QuotaFailure.Violation.future_quota_value: oneofIndex is unset, not "_future_quota_value"',
      "field google.rpc.QuotaFailure.Violation.future_quota_value: proto3Optional is unset, not true",
      "oneof google.rpc.QuotaFailure.Violation._future_quota_value is missing",
    ],
  ],
  "a field too many": [
    "google/rpc/status.proto",
    "string message = 2;",
    "string message = 2;\n  string hint = 9;",
    ["field google.rpc.Status.hint is not in the original"],
  ],
  "a field option": [
    operations,
    "UNORDERED_LIST",
    "OPTIONAL",
    [
      `field ${lro}.ListOperationsResponse.unreachable: options is {"[google.api.field_behavior]":["OPTIONAL"]}, ` +
        'not {"[google.api.field_behavior]":["UNORDERED_LIST"]}',
    ],
  ],
  "an enum value": [
    "google/rpc/code.proto",
    "ABORTED = 10;",
    "ABORTED = 20;",
    ["enum value google.rpc.Code.ABORTED: number is 20, not 10"],
  ],
  "an http rule": [
    operations,
    'get: "/v1/{name=operations}"',
    'get: "/v1/{name=operations/*}"',
    [
      `method ${lro}.Operations.ListOperations: options is {"[google.api.http]":{"get":"/v1/{name=operations/*}"},` +
        '"[google.api.method_signature]":["name,filter"]}, not {"[google.api.http]":{"get":"/v1/{name=operations}"},' +
        '"[google.api.method_signature]":["name,filter"]}',
    ],
  ],
  "a streaming flag": [
    operations,
    "rpc DeleteOperation(DeleteOperationRequest) returns (google",
    "rpc DeleteOperation(DeleteOperationRequest) returns (stream google",
    [`method ${lro}.Operations.DeleteOperation: serverStreaming is true, not unset`],
  ],
  "a missing method": [
    operations,
    "rpc WaitOperation(WaitOperationRequest) returns (Operation) {}",
    "",
    [`method ${lro}.Operations.WaitOperation is missing`],
  ],
  "a service option": [
    operations,
    '"longrunning.googleapis.com"',
    '"localhost"',
    [
      `service ${lro}.Operations: options is {"[google.api.default_host]":"localhost"}, ` +
        'not {"[google.api.default_host]":"longrunning.googleapis.com"}',
    ],
  ],
  "an extension's number": [
    operations,
    "operation_info = 1049",
    "operation_info = 1050",
    [`extension ${lro}.operation_info: number is 1050, not 1049`],
  ],
  "a message without its namesake": [
    "google/rpc/error_details.proto",
    "message Help {",
    "message Helper {",
    [
      ...["message google.rpc.Help", "message google.rpc.Help.Link"].map(
        (subject) => `${subject} is missing`,
      ),
      ...[
        "field google.rpc.Help.links",
        "field google.rpc.Help.Link.description",
        "field google.rpc.Help.Link.url",
      ].map((subject) => `${subject} is missing`),
      ...["message google.rpc.Helper", "message google.rpc.Helper.Link", "field google.rpc.Helper.links"].map(
        (subject) => `${subject} is not in the original`,
      ),
      ...["field google.rpc.Helper.Link.description", "field google.rpc.Helper.Link.url"].map(
        (subject) => `${subject} is not in the original`,
      ),
    ],
  ],
};

describe("a difference between mirror and original", () => {
  test("is reported whatever its kind, and nothing else is", () => {
    const dir = mkdtempSync(join(tmpdir(), "mirror-"));
    try {
      cpSync("proto", dir, { recursive: true });
      for (const [kind, [file, from, to]] of Object.entries(SLIPS)) plant(kind, join(dir, file), from, to);
      const slipped = bufImage(dir, mirrored);
      const reports = Object.values(SLIPS).flatMap(([, , , expected]) => expected);
      expect(descriptorDifferences(descriptorFacts(slipped, mirrored), original)).toEqual(reports.sort());
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  });

  test("is found in each single field of each mirrored file", () => {
    const registry = createFileRegistry(ours);
    let changes = 0;
    for (const file of mirrored) {
      const before = descriptorFacts(ours, [file], registry);
      for (const [index] of fieldsOf(fileNamed(ours, file)).entries()) {
        for (const change of CHANGES) {
          const set = clone(FileDescriptorSetSchema, { ...ours, file: [fileNamed(ours, file)] });
          const field = fieldsOf(fileNamed(set, file))[index];
          if (field === undefined) throw new Error("a clone has the same fields");
          change(field);
          const found = descriptorDifferences(descriptorFacts(set, [file], registry), before);
          expect(found, `${file}, ${field.name}, ${change.name}`).not.toEqual([]);
          changes++;
        }
      }
    }
    expect(changes).toBeGreaterThan(300);
  });

  test("cannot hide in an option that no import declares", () => {
    const set = clone(FileDescriptorSetSchema, ours);
    const method = fileNamed(set, operations).service[0]?.method[0];
    method?.options?.$unknown?.push({ no: 50_000, wireType: 0, data: new Uint8Array([1]) });
    expect(() => descriptorFacts(set, [operations])).toThrow(/ListOperations has option 50000/);
  });
});

/** What can be wrong about any field. */
const CHANGES = [
  function number(field: FieldDescriptorProto) {
    field.number += 1000;
  },
  function name(field: FieldDescriptorProto) {
    field.name += "_x";
  },
  function jsonName(field: FieldDescriptorProto) {
    field.jsonName += "X";
  },
  function type(field: FieldDescriptorProto) {
    const { STRING, BYTES } = FieldDescriptorProto_Type;
    field.type = field.type === STRING ? BYTES : STRING;
  },
  function label(field: FieldDescriptorProto) {
    const { REPEATED, OPTIONAL } = FieldDescriptorProto_Label;
    field.label = field.label === REPEATED ? OPTIONAL : REPEATED;
  },
];

function fileNamed(set: { file: FileDescriptorProto[] }, name: string): FileDescriptorProto {
  const file = set.file.find((candidate) => candidate.name === name);
  if (file === undefined) throw new Error(`${name} is not in the descriptor set`);
  return file;
}

/** All fields and extensions declared in a file, nested messages included, always in the same order. */
function fieldsOf(file: FileDescriptorProto): FieldDescriptorProto[] {
  const inside = (message: DescriptorProto): FieldDescriptorProto[] => [
    ...message.field,
    ...message.extension,
    ...message.nestedType.flatMap(inside),
  ];
  return [...file.extension, ...file.messageType.flatMap(inside)];
}

/** Replaces the one place in a file where `from` stands; fails when there is none, as the slip would test nothing. */
function plant(kind: string, path: string, from: string, to: string): void {
  const source = readFileSync(path, "utf8");
  expect(source.split(from).length, `${kind}: "${from}" must stand once in ${path}`).toBe(2);
  writeFileSync(path, source.replace(from, to));
}
