import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import {
  bindingsOf,
  compile,
  type MethodWord,
  problemsOf,
  requestLine,
  transcode,
} from "../support/bindings.ts";

/** Rules in the shapes that Google publishes; see the comment at the top of each file. */
function published(file: string): string {
  return readFileSync(new URL(`./rules/${file}.yaml`, import.meta.url), "utf8");
}

function sends(file: string, apiVersion = file.split("-").at(-1) ?? "") {
  const bindings = bindingsOf(published(file), apiVersion);
  return (word: MethodWord, name: string, fields: Record<string, unknown> = {}) =>
    requestLine(transcode(bindings, word, { name, ...fields }));
}

describe("speech v2, the usual shape", () => {
  const send = sends("speech-v2");
  it("lists by parent and sends {} with cancel", () => {
    expect(send("list", "projects/p/locations/l", { pageSize: 3 })).toBe(
      "GET /v2/projects/p/locations/l/operations?pageSize=3",
    );
    expect(send("get", "projects/p/locations/l/operations/o")).toBe(
      "GET /v2/projects/p/locations/l/operations/o",
    );
    expect(send("delete", "projects/p/locations/l/operations/o")).toBe(
      "DELETE /v2/projects/p/locations/l/operations/o",
    );
    expect(send("cancel", "projects/p/locations/l/operations/o")).toBe(
      "POST /v2/projects/p/locations/l/operations/o:cancel {}",
    );
  });
  it("has no wait", () => {
    expect(() => send("wait", "projects/p/locations/l/operations/o")).toThrow("has no WaitOperation");
  });
});

describe("logging v2, five overlapping bindings", () => {
  const send = sends("logging-v2");
  it.each(["projects", "organizations", "folders", "billingAccounts", "unheardOf"])("serves %s", (parent) => {
    const name = `${parent}/p/locations/l/operations/o`;
    expect(send("get", name)).toBe(`GET /v2/${name}`);
    expect(send("cancel", name)).toBe(`POST /v2/${name}:cancel {}`);
    expect(send("list", `${parent}/p/locations/l`)).toBe(`GET /v2/${parent}/p/locations/l/operations`);
  });
  it("refuses what fits none, and lists the shapes", () => {
    expect(() => send("get", "projects/p/operations/o")).toThrow(
      'name "projects/p/operations/o" does not have the right shape; expected */*/locations/*/operations/* or ' +
        "projects/*/locations/*/operations/* or organizations/*/locations/*/operations/* or " +
        "folders/*/locations/*/operations/* (or 1 more)",
    );
  });
});

describe("cloudbuild v1, ** and a regional form", () => {
  const send = sends("cloudbuild-v1");
  it.each([
    ["operations/build/p/abc=", "operations/build/p/abc%3D"],
    ["operations/x", "operations/x"],
    ["projects/p/locations/l/operations/o", "projects/p/locations/l/operations/o"],
  ])("serves %s", (name, path) => {
    expect(send("get", name)).toBe(`GET /v1/${path}`);
    expect(send("cancel", name)).toBe(`POST /v1/${path}:cancel {}`);
  });
  it("does not take the collection for an operation: ** is one segment at least", () => {
    expect(() => send("get", "operations")).toThrow("expected operations/**");
    expect(() => send("get", "operations/")).toThrow("ends with a slash");
  });
});

describe("bigtable admin v2, ** in the middle and no body", () => {
  const send = sends("bigtable-admin-v2");
  it("puts the verb, the collection and nothing else behind the name", () => {
    const name = "operations/projects/p/instances/i/locations/l/operations/1";
    expect(send("get", name)).toBe(`GET /v2/${name}`);
    expect(send("cancel", name)).toBe(`POST /v2/${name}:cancel`);
    expect(send("list", "operations/projects/p/instances/i")).toBe(
      "GET /v2/operations/projects/p/instances/i/operations",
    );
  });
  it("refuses to get what the API takes for a list", () => {
    expect(() => send("get", "operations/projects/p/operations")).toThrow(
      "would make a URL that the upstream takes for ListOperations",
    );
    // The same name is no list's in another verb.
    expect(send("delete", "operations/projects/p/operations")).toBe(
      "DELETE /v2/operations/projects/p/operations",
    );
  });
});

describe("dataproc v1, two collections and a list on the collection itself", () => {
  const send = sends("dataproc-v1");
  it.each(["regions", "locations"])("serves %s", (kind) => {
    expect(send("list", `projects/p/${kind}/r/operations`, { filter: "x" })).toBe(
      `GET /v1/projects/p/${kind}/r/operations?filter=x`,
    );
    expect(send("cancel", `projects/p/${kind}/r/operations/o`)).toBe(
      `POST /v1/projects/p/${kind}/r/operations/o:cancel`,
    );
  });
});

describe("run v2, with a wait", () => {
  const send = sends("run-v2");
  const name = "projects/p/locations/l/operations/o";
  it("sends the timeout in the body", () => {
    expect(send("wait", name, { timeout: { seconds: 90n, nanos: 500_000_000 } })).toBe(
      `POST /v2/${name}:wait {"timeout":"90.500s"}`,
    );
    expect(send("wait", name)).toBe(`POST /v2/${name}:wait {}`);
  });
  it("refuses a timeout that JSON cannot express", () => {
    expect(() => send("wait", name, { timeout: { seconds: 315_576_000_001n, nanos: 0 } })).toThrow(
      "timeout has a value that JSON cannot express",
    );
  });
});

describe("documentai v1, two versions in one rule", () => {
  it("chooses by the configured version, not by the order", () => {
    const name = "projects/p/locations/l/operations/o";
    expect(sends("documentai-v1")("get", name)).toBe(`GET /v1/${name}`);
    expect(sends("documentai-v1", "uiv1beta3")("get", name)).toBe(`GET /uiv1beta3/${name}`);
    expect(sends("documentai-v1", "uiv1beta3")("cancel", name)).toBe(`POST /uiv1beta3/${name}:cancel`);
  });
  it("has the old names in one version only", () => {
    expect(sends("documentai-v1")("get", "projects/p/operations/o")).toBe("GET /v1/projects/p/operations/o");
    expect(() => sends("documentai-v1", "uiv1beta3")("get", "projects/p/operations/o")).toThrow(
      'has "operations" where "locations" belongs',
    );
  });
  it("says which versions there are", () => {
    expect(problemsOf(compile(published("documentai-v1"), "v2"))[1]).toBe(
      "rules.yaml:12: http.rules[1] of google.longrunning.Operations.GetOperation: no binding begins with /v2/, " +
        "the configured API version (allowed: API version v1 or uiv1beta3)",
    );
  });
});

describe("speech v1, all of the name is ** and the list has no variable", () => {
  const send = sends("speech-v1");
  it("gets below the literal", () => {
    expect(send("get", "123")).toBe("GET /v1/operations/123");
    expect(send("get", "a b/c?")).toBe("GET /v1/operations/a%20b/c%3F");
  });
  it("sends the name of a list in the query, and none when it is empty", () => {
    expect(send("list", "")).toBe("GET /v1/operations");
    expect(send("list", "projects/p", { pageToken: "t" })).toBe(
      "GET /v1/operations?name=projects%2Fp&pageToken=t",
    );
    expect(() => send("list", "projects/../q")).toThrow('has the segment ".."');
  });
});

describe("videointelligence v1, bindings that differ in their body", () => {
  const send = sends("videointelligence-v1");
  it("takes the first that fits, with its body", () => {
    const name = "projects/p/locations/l/operations/o";
    expect(send("cancel", name)).toBe(`POST /v1/${name}:cancel {}`);
  });
});

describe("datalabeling v1beta1, published with GET for cancel", () => {
  it("is refused at start", () => {
    expect(problemsOf(compile(published("datalabeling-v1beta1"), "v1beta1"))).toEqual([
      "rules.yaml:9: http.rules[0].get of google.longrunning.Operations.CancelOperation: " +
        "CancelOperation cannot be a GET (allowed: post)",
    ]);
  });
});
