import { create } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import { GetOperationRequestSchema, Operations } from "../../gen/google/longrunning/operations_pb.ts";
import { BadRequestSchema, ErrorInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import { loadBindings } from "../../src/transcode/load-bindings.ts";
import {
  bindingsOf,
  compile,
  healthcareBindings,
  type MethodWord,
  problemsOf,
  requestLine,
  transcode,
} from "../support/bindings.ts";

const DATASET = "projects/p/locations/us-central1/datasets/d";
const OPERATION = `${DATASET}/operations/123`;

describe("the Healthcare rules", () => {
  const bindings = healthcareBindings();
  const line = (word: MethodWord, fields: Record<string, unknown>) =>
    requestLine(transcode(bindings, word, fields));

  it("get an operation", () => {
    expect(line("get", { name: OPERATION })).toBe(`GET /v1beta1/${OPERATION}`);
  });

  it("list by the name of the dataset, with what is set in the query", () => {
    expect(line("list", { name: DATASET })).toBe(`GET /v1beta1/${DATASET}/operations`);
    expect(line("list", { name: DATASET, filter: "done = true", pageSize: 50, pageToken: "a/b+c=" })).toBe(
      `GET /v1beta1/${DATASET}/operations?filter=done%20%3D%20true&pageSize=50&pageToken=a%2Fb%2Bc%3D`,
    );
  });

  it("forward return_partial_success only when it is true", () => {
    expect(line("list", { name: DATASET, returnPartialSuccess: false })).not.toContain("?");
    expect(line("list", { name: DATASET, returnPartialSuccess: true })).toBe(
      `GET /v1beta1/${DATASET}/operations?returnPartialSuccess=true`,
    );
  });

  it("cancel with a literal verb colon and without a body", () => {
    const request = transcode(bindings, "cancel", { name: OPERATION });
    expect(request).toStrictEqual({ verb: "POST", path: `/v1beta1/${OPERATION}:cancel`, body: undefined });
  });

  it("use the configured version", () => {
    expect(requestLine(transcode(healthcareBindings("v1"), "get", { name: OPERATION }))).toBe(
      `GET /v1/${OPERATION}`,
    );
  });

  it.each(["delete", "wait"] as const)("answer %s with UNIMPLEMENTED", (word) => {
    const error = refusal(() => transcode(bindings, word, { name: OPERATION }));
    expect(error.code).toBe(Code.Unimplemented);
    expect(error.findDetails(ErrorInfoSchema)[0]?.reason).toBe("METHOD_WITHOUT_RULE");
  });

  it("blame the field in a violation", () => {
    const error = refusal(() => transcode(bindings, "get", { name: "projects/p" }));
    expect(error.code).toBe(Code.InvalidArgument);
    const [violation] = error.findDetails(BadRequestSchema)[0]?.fieldViolations ?? [];
    expect(violation?.field).toBe("name");
    expect(violation?.description).toBe(
      "name has 2 segments instead of 8; expected projects/*/locations/*/datasets/*/operations/*",
    );
  });
});

describe("transcode()", () => {
  it("takes each request on its own", () => {
    const bindings = healthcareBindings();
    const message = create(GetOperationRequestSchema, { name: OPERATION });
    const first = bindings.transcode(Operations.method.getOperation, message);
    message.name = "projects/q/locations/l/datasets/d/operations/9";
    const second = bindings.transcode(Operations.method.getOperation, message);
    expect([first.path, second.path]).toEqual([`/v1beta1/${OPERATION}`, `/v1beta1/${message.name}`]);
  });
});

describe("compileBindings()", () => {
  const rulesFor = (method: string, ...rules: string[]) =>
    `http:\n  rules:\n  - selector: google.longrunning.Operations.${method}\n${rules.map((line) => `    ${line}`).join("\n")}`;

  it.each<[string, string, string]>([
    [
      "a template that does not parse",
      rulesFor("GetOperation", "get: /v1/{name"),
      'rules.yaml:4: http.rules[0].get of google.longrunning.Operations.GetOperation: "{" is never closed (position 5 of /v1/{name) (allowed: a path template as in https://google.aip.dev/127)',
    ],
    [
      "the wrong verb",
      rulesFor("DeleteOperation", "post: /v1/{name=**}"),
      "DeleteOperation cannot be a POST (allowed: delete)",
    ],
    [
      "put for a get",
      rulesFor("GetOperation", "put: /v1/{name=**}"),
      "GetOperation cannot be a PUT (allowed: get)",
    ],
    [
      "an unknown field in the path",
      rulesFor("GetOperation", "get: /v1/{nam=**}"),
      'the variable "nam" is not a field of google.longrunning.GetOperationRequest (allowed: name)',
    ],
    [
      "a message in the path",
      rulesFor("WaitOperation", "post: /v1/{timeout=**}"),
      'the variable "timeout" is not a single scalar (allowed: name)',
    ],
    [
      "a nested field in the path",
      rulesFor("WaitOperation", "post: /v1/{timeout.seconds=*}"),
      'the variable "timeout.seconds" is not a field of',
    ],
    [
      "a body with a get",
      rulesFor("GetOperation", "get: /v1/{name=**}", 'body: "*"'),
      "http.rules[0].body of google.longrunning.Operations.GetOperation: a GET has no body",
    ],
    [
      "a body with a delete",
      rulesFor("DeleteOperation", "delete: /v1/{name=**}", "body: name"),
      "a DELETE has no body",
    ],
    [
      "a body of an unknown field",
      rulesFor("WaitOperation", "post: /v1/{name=**}:wait", "body: time"),
      'rules.yaml:5: http.rules[0].body of google.longrunning.Operations.WaitOperation: "time" is not a field of google.longrunning.WaitOperationRequest (allowed: *, timeout)',
    ],
    [
      "a body that is in the path",
      rulesFor("CancelOperation", "post: /v1/{name=**}:cancel", "body: name"),
      '"name" is in the path already (allowed: *)',
    ],
    [
      "a version that the rule does not have",
      rulesFor("GetOperation", "get: /v2/{name=**}", "additional_bindings: [{get: '/v3/{name=**}'}]"),
      "rules.yaml:3: http.rules[0] of google.longrunning.Operations.GetOperation: no binding begins with /v1/, the configured API version (allowed: API version v2 or v3)",
    ],
    [
      "a problem in another version",
      rulesFor("GetOperation", "get: /v1/{name=**}", "additional_bindings: [{get: '/v2/{'}]"),
      "additional_bindings[0].get of",
    ],
  ])("says what is wrong with %s", (_, rules, problem) => {
    expect(problemsOf(compile(rules, "v1")).join("\n")).toContain(problem);
  });

  it("leaves out a binding with another method's verb, and says so", () => {
    const bindings = bindingsOf(
      rulesFor(
        "ListOperations",
        "get: /v1/{name=a/*}/operations",
        "additional_bindings: [{get: '/v1/{name=b/*}:wait'}]",
      ),
      "v1",
    );
    expect(bindings.warnings.map(({ reason }) => reason)).toEqual([
      '":wait" belongs to WaitOperation; the binding is left out',
    ]);
    expect(() => transcode(bindings, "list", { name: "b/1" })).toThrow("expected a/*");
  });

  it("shows what was chosen, in the order of the service", () => {
    expect(
      healthcareBindings().methods.map(({ method, bindings }) => [
        method.name,
        ...bindings.map(({ verb, template, body }) => `${verb} ${template.text} ${body}`),
      ]),
    ).toEqual([
      ["ListOperations", "GET /v1beta1/{name=projects/*/locations/*/datasets/*}/operations undefined"],
      ["GetOperation", "GET /v1beta1/{name=projects/*/locations/*/datasets/*/operations/*} undefined"],
      [
        "CancelOperation",
        "POST /v1beta1/{name=projects/*/locations/*/datasets/*/operations/*}:cancel undefined",
      ],
    ]);
  });

  it("fills several variables, and blames the one that does not fit", () => {
    const bindings = bindingsOf(
      rulesFor("ListOperations", "get: '/v1/{name=a/*}/by/{page_size}/{filter=x/*}'"),
      "v1",
    );
    const fields = { name: "a/1", pageSize: 5, filter: "x/é" };
    expect(requestLine(transcode(bindings, "list", fields))).toBe("GET /v1/a/1/by/5/x/%C3%A9");
    const error = refusal(() => transcode(bindings, "list", { ...fields, filter: "y" }));
    expect(error.findDetails(BadRequestSchema)[0]?.fieldViolations.map(({ field }) => field)).toEqual([
      "filter",
    ]);
  });
});

describe("loadBindings()", () => {
  it("says so when the file cannot be read", () => {
    expect(problemsOf(loadBindings({ rules: "/no/such/rules.yaml", apiVersion: "v1" }))).toEqual([
      "/no/such/rules.yaml: cannot be read: ENOENT: no such file or directory, open '/no/such/rules.yaml' " +
        "(allowed: a file of google.api.Service http.rules)",
    ]);
    expect(problemsOf(loadBindings({ rules: import.meta.dirname, apiVersion: "v1" }))[0]).toContain(
      "cannot be read",
    );
  });

  it("reads a user's file", () => {
    const rules = `${import.meta.dirname}/rules/run-v2.yaml`;
    const loaded = loadBindings({ rules, apiVersion: "v2" });
    expect(loaded.ok && loaded.value.methods.map(({ method }) => method.name)).toContain("WaitOperation");
  });

  it("refuses an unknown version of the Healthcare API by name", () => {
    expect(problemsOf(loadBindings({ rules: undefined, apiVersion: "v2" })).join("\n")).toContain(
      "no binding begins with /v2/, the configured API version (allowed: API version v1 or v1beta1)",
    );
  });
});

function refusal(call: () => unknown): ConnectError {
  try {
    call();
  } catch (error) {
    if (error instanceof ConnectError) return error;
    throw error;
  }
  throw new Error("not refused");
}
