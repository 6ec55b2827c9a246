import { Code, ConnectError } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { BadRequestSchema } from "../../gen/google/rpc/error_details_pb.ts";
import type { RestRequest } from "../../src/lib/rest.ts";
import { bindingsOf, healthcareBindings, type MethodWord, transcode } from "../support/bindings.ts";
import { type RecordingServer, sendRaw, startRecordingServer } from "../support/recording-server.ts";

const DATASET = "projects/p/locations/l/datasets/d";
const bindings = healthcareBindings();

/** Sends what is not refused; answers what the server saw, or why there was nothing to send. */
async function outcome(server: RecordingServer, word: MethodWord, name: string): Promise<string> {
  const before = server.requests.length;
  let request: RestRequest;
  try {
    request = transcode(bindings, word, { name });
  } catch (error) {
    if (!(error instanceof ConnectError) || error.code !== Code.InvalidArgument) throw error;
    const violations = error.findDetails(BadRequestSchema)[0]?.fieldViolations ?? [];
    expect(violations.map(({ field }) => field)).toEqual(["name"]);
    expect(server.requests.length).toBe(before);
    return `refused: ${violations[0]?.description}`;
  }
  await sendRaw(server, [request]);
  expect(server.requests.length).toBe(before + 1);
  return server.requests.at(-1) ?? "";
}

describe("a hostile name", () => {
  let server: RecordingServer;
  beforeAll(async () => {
    server = await startRecordingServer();
  });
  afterAll(() => server[Symbol.asyncDispose]());

  describe("as operation id of a cancel", () => {
    it.each([
      ["../x", 'has the segment ".." (segment 8)'],
      ["%2e%2e/x", 'holds a percent escape at character 46 that stands for "."'],
      [".%2e/x", 'holds a percent escape at character 47 that stands for "."'],
      ["1/../../2", 'has the segment ".." (segment 9)'],
      ["1\\..\\x", "holds a backslash at character 47"],
      ["..", 'has the segment ".." (segment 8)'],
      [".", 'has the segment "." (segment 8)'],
      ["%2E%2E", 'holds a percent escape at character 46 that stands for "."'],
      ["..%2f..%2fx", 'holds a percent escape at character 48 that stands for "/"'],
      ["1%2Fx", 'holds a percent escape at character 47 that stands for "/"'],
      ["1%3F", 'holds a percent escape at character 47 that stands for "?"'],
      ["1%23", 'holds a percent escape at character 47 that stands for "#"'],
      ["1%00", "holds a percent escape at character 47 that stands for the character U+0000"],
      ["1%0d%0aX", "holds a percent escape at character 47 that stands for the character U+000D"],
      ["1\t2", "holds the character U+0009 at character 47"],
      ["1\n2", "holds the character U+000A at character 47"],
      ["1\r2", "holds the character U+000D at character 47"],
      ["1\0", "holds the character U+0000 at character 47"],
      ["1\u202e2", "holds the character U+202E at character 47"],
      ["1\u20282", "holds the character U+2028 at character 47"],
      ["1\ud800", "holds a lone surrogate (half of a UTF-16 pair), which has no UTF-8 form"],
      ["1/", "ends with a slash"],
      ["1//2", "has an empty segment (segment 9)"],
      ["1/2", "has 9 segments instead of 8; expected projects/*/locations/*/datasets/*/operations/*"],
      ["", "ends with a slash"],
    ])("%j is refused and nothing is sent", async (id, problem) => {
      expect(await outcome(server, "cancel", `${DATASET}/operations/${id}`)).toBe(`refused: name ${problem}`);
    });

    it.each([
      ["1?x=y", "1%3Fx%3Dy"],
      ["1:cancel?", "1%3Acancel%3F"],
      ["1#f", "1%23f"],
      ["1:cancel", "1%3Acancel"],
      ["1;a=b", "1%3Ba%3Db"],
      ["@evil.com", "%40evil.com"],
      ["1%", "1%25"],
      ["1%zz", "1%25zz"],
      ["1 2", "1%202"],
      ["é", "%C3%A9"],
      ["１", "%EF%BC%91"],
      ["...", "..."],
    ])("%j stays one id and swallows nothing", async (id, encoded) => {
      expect(await outcome(server, "cancel", `${DATASET}/operations/${id}`)).toBe(
        `POST /v1beta1/${DATASET}/operations/${encoded}:cancel`,
      );
    });
  });

  it.each<[MethodWord, string, string]>([
    ["cancel", `${DATASET}:deidentify?`, "has 6 segments instead of 8"],
    [
      "cancel",
      `${DATASET}/fhirStores/f:setIamPolicy?`,
      'has "fhirStores" where "operations" belongs (segment 7)',
    ],
    [
      "cancel",
      `${DATASET}/dicomStores/s:export#`,
      'has "dicomStores" where "operations" belongs (segment 7)',
    ],
    [
      "cancel",
      "projects/allowed/locations/../../victim/locations/l/datasets/d/operations/1",
      'has the segment ".." (segment 4)',
    ],
    ["get", "//evil.com/x", "begins with a slash"],
    ["get", "/\\evil", "holds a backslash at character 2"],
    ["get", "https://evil.com", "is a URL, not a resource name"],
    ["get", `https://evil.example/${DATASET}/operations/1`, "is a URL, not a resource name"],
    ["get", "projects/\\..\\x/locations/l/datasets/d/operations/1", "holds a backslash at character 10"],
    ["get", `${DATASET}/operations/1/extra/3`, "has 10 segments instead of 8"],
    ["get", "operations/1", 'has "operations" where "projects" belongs (segment 1)'],
    ["get", "projects/p/locations/l/datasets//operations/1", "has an empty segment (segment 6)"],
    ["get", "", "is empty"],
    ["list", "", "is empty"],
    ["list", `${DATASET}/operations`, 'names the collection "operations", which the method adds itself'],
    ["list", "projects/p/locations/l/datasets/..", 'has the segment ".." (segment 6)'],
    ["list", "projects/p/locations/l", "has 4 segments instead of 6"],
    ["get", `v1beta1/${DATASET}/operations/1`, "begins with an API version, which is not part of a name"],
    ["get", `${DATASET}/operations/${"x".repeat(2048)}`, "is longer than 2048 bytes"],
  ])("in %s, %j, is refused and nothing is sent", async (word, name, problem) => {
    expect(await outcome(server, word, name)).toContain(`refused: name ${problem}`);
  });

  it("keeps the colon of a domain-scoped project out of the way of the verb", async () => {
    expect(
      await outcome(server, "cancel", "projects/example.com:p/locations/l/datasets/d/operations/1"),
    ).toBe("POST /v1beta1/projects/example.com%3Ap/locations/l/datasets/d/operations/1:cancel");
  });

  it.each<MethodWord>(["get", "cancel"])(
    "of a FHIR store's operation is refused in %s, with the reason",
    async (word) => {
      expect(await outcome(server, word, `${DATASET}/fhirStores/f/operations/1`)).toContain(
        "refused: name names an operation of a FHIR store: that collection follows the FHIR bulk data specification",
      );
    },
  );

  it("is repeated in at most 64 escaped characters", () => {
    const name = `projects/\u202e${"y".repeat(500)}`;
    expect(() => transcode(bindings, "get", { name })).toThrow(
      `name "projects/\\u{202e}${"y".repeat(47)}…" holds`,
    );
  });
});

describe("a FHIR store's operation", () => {
  it.each([
    "/v1/{name=projects/**}",
    "/v1/{name=**}",
    "/v1/{name}",
    "/v1/{name=projects/*/locations/*/datasets/*/fhirStores/*/operations/*}",
    "/v1/{name=*/*/*/*/*/*/*/*/*/*}",
  ])("is refused by %s too, which has room for it", (template) => {
    const rules = `http: {rules: [{selector: google.longrunning.Operations.GetOperation, get: "${template}"}]}`;
    expect(() =>
      transcode(bindingsOf(rules, "v1"), "get", { name: `${DATASET}/fhirStores/f/operations/1` }),
    ).toThrow("operation of a FHIR store");
  });
});
