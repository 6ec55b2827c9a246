import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { runInside } from "../support/run-program.ts";

const DATASET = "projects/p/locations/l/datasets/d";

it("prints the request of a cancel, with the token hidden and no body", async () => {
  const { code, stdout } = await runInside([
    "explain",
    "cancel",
    `${DATASET}ä/operations/1`,
    "--upstream-endpoint",
    "https://healthcare.googleapis.com",
  ]);
  expect(code).toBe(0);
  expect(stdout).toMatch(
    /^POST https:\/\/healthcare\.googleapis\.com\/v1beta1\/projects\/p\/locations\/l\/datasets\/d%C3%A4\/operations\/1:cancel\n/,
  );
  expect(stdout).toContain("\nauthorization: Bearer (hidden: the gateway's own token)\n");
  expect(stdout).toMatch(/\ncontent-length: 0\n\n$/);
});

it("prints the query of a list, and no credentials where none are sent", async () => {
  const endpoint = ["--upstream-endpoint", "http://127.0.0.1:9", "--upstream-credentials", "none"];
  const data = ["--data", '{"pageSize": 5, "filter": "a b"}'];
  const { stdout } = await runInside(["explain", "ListOperations", DATASET, ...endpoint, ...data]);
  expect(stdout.split("\n")[0]).toBe(
    `GET http://127.0.0.1:9/v1beta1/${DATASET}/operations?filter=a%20b&pageSize=5`,
  );
  expect(stdout).not.toContain("authorization");
});

it("shows the body and the version of another API's rules", async () => {
  const directory = mkdtempSync(join(tmpdir(), "lro-explain-"));
  try {
    const rules = join(directory, "rules.yaml");
    writeFileSync(
      rules,
      `http:
  rules:
    - selector: google.longrunning.Operations.CancelOperation
      post: "/v2/{name=operations/**}:cancel"
      body: "*"
`,
    );
    const settings = ["--upstream-rules", rules, "--upstream-api-version", "v2"];
    const { code, stdout } = await runInside([
      "explain",
      "google.longrunning.Operations/CancelOperation",
      "operations/a/b",
      "--upstream-endpoint",
      "https://api.example",
      ...settings,
    ]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^POST https:\/\/api\.example\/v2\/operations\/a\/b:cancel\n/);
    expect(stdout).toMatch(/\ncontent-type: application\/json\n.*content-length: 2\n\n\{\}\n$/s);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

it("says for which endpoint it speaks when none is configured", async () => {
  const { stderr } = await runInside(["explain", "get", `${DATASET}/operations/1`]);
  expect(stderr).toBe("upstream.endpoint is not set; this is for https://healthcare.googleapis.com.\n");
});

it("shows the read that a wait is made of", async () => {
  const data = ["--data", '{"timeout": "30s"}'];
  const { code, stdout, stderr } = await runInside(["explain", "wait", `${DATASET}/operations/1`, ...data]);
  expect(code).toBe(0);
  expect(stdout).toMatch(/^GET .*\/operations\/1\n/);
  expect(stderr).toContain("The gateway answers WaitOperation itself");
});

it.each([
  [
    ["get", `${DATASET}/operations/1/x`],
    "nothing would be sent: INVALID_ARGUMENT: name",
    "field name: name has 9 segments instead of 8",
  ],
  [
    ["delete", `${DATASET}/operations/1`],
    "nothing would be sent: UNIMPLEMENTED: the upstream has no DeleteOperation",
    "METHOD_WITHOUT_RULE",
  ],
  [
    ["wait", `${DATASET}/operations/1`, "--data", '{"timeout": "soon"}'],
    "--data is not a google.longrunning.WaitOperationRequest in JSON:",
    '"soon"',
  ],
  [
    ["get", "n", "--data", "{"],
    "--data is not a google.longrunning.GetOperationRequest in JSON:",
    "position",
  ],
  [
    ["get", "n", "--data", '{"nam":1}'],
    "--data is not a google.longrunning.GetOperationRequest in JSON:",
    '"nam"',
  ],
])("exits 2 for %j and says why nothing would be sent", async (args, ...texts) => {
  const { code, stdout, stderr } = await runInside(["explain", ...args]);
  expect([code, stdout]).toEqual([2, ""]);
  for (const text of texts) expect(stderr).toContain(text);
});
