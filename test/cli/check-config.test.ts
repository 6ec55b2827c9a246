import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { KEYS } from "../../src/config/keys.ts";
import { startCli } from "../support/cli-process.ts";
import { runInside } from "../support/run-program.ts";

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "lro-check-"));
});
afterAll(() => rmSync(directory, { recursive: true }));

function write(name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}

it("prints every setting with its value and where it comes from", async () => {
  const file = write(
    "good.yaml",
    "upstream:\n  endpoint: https://healthcare.googleapis.com\nlog: {level: warn}\n",
  );
  const env = { LRO_GATEWAY_LOG_LEVEL: "error", LRO_GATEWAY_CONFIG: file };
  const { code, stdout } = await runInside(["check-config", "--waiting-heartbeat", "15s"], env);
  expect(code).toBe(0);
  const rows = new Map(stdout.split("\n").map((line) => [line.split(/\s+/)[0], line.replace(/\s+/g, " ")]));
  for (const { path } of KEYS) expect([...rows.keys()]).toContain(path);
  expect(rows.get("upstream.endpoint")).toBe(`upstream.endpoint https://healthcare.googleapis.com ${file}:2`);
  expect(rows.get("upstream.credentials")).toBe("upstream.credentials adc default");
  expect(rows.get("log.level")).toBe("log.level error LRO_GATEWAY_LOG_LEVEL");
  expect(rows.get("waiting.heartbeat")).toBe("waiting.heartbeat 15s --waiting-heartbeat");
  expect(stdout).toMatch(/\nThe configuration is right\.\n$/);
});

it("finds the mistakes of a rules file, with its line, the rule and the field", async () => {
  const rules = write(
    "rules.yaml",
    "http:\n  rules:\n    - selector: google.longrunning.Operations.GetOperation\n      get: /v1beta1/{name=x\n",
  );
  const { code, stderr } = await runInside(["check-config", "--upstream-rules", rules]);
  expect(code).toBe(2);
  expect(stderr).toContain(
    `lro-gateway: the configuration has a mistake:\n  ${rules}:4: http.rules[0].get of google.longrunning.Operations.GetOperation: "{" is never closed`,
  );
});

it("warns of a token of Cloud Healthcare's scope for another API", async () => {
  const rules = write(
    "speech.yaml",
    "http: {rules: [{selector: google.longrunning.Operations.GetOperation, get: '/v2/{name=operations/*}'}]}",
  );
  const file = write(
    "speech-gateway.yaml",
    `upstream: {endpoint: "https://speech.googleapis.com", api_version: v2, rules: ${rules}}\n`,
  );
  const told = await startCli(["check-config", "--config", file]).ended;
  expect([told.code, told.stderr]).toEqual([0, expect.stringContaining("set upstream.scope")]);
  const right = await startCli(["check-config", "--config", file, "--upstream-scope", "cloud-platform"])
    .ended;
  expect([right.code, right.stderr]).toEqual([0, ""]);
});

it("finds all mistakes of a rules file at once, those of templates beside those of keys, in its order", async () => {
  const of = "google.longrunning.Operations";
  const rules = write(
    "many.yaml",
    [
      "http:",
      "  rules:",
      `  - {selector: ${of}.ListOperations, get: "/v1/{nam=projects/*}"}`,
      `  - {selector: ${of}.CancelOperation, post: "/v1/{name=**}:cancel", methd: x}`,
      `  - {selector: ${of}.GetOperation, post: "/v1/{name=**}"}`,
    ].join("\n"),
  );
  const { stderr } = await runInside(["check-config", "--upstream-rules", rules]);
  expect(
    [...stderr.matchAll(/^ {2}\S+:(\d): http\.rules\[\d\]\.(\w+) of /gm)].map(([, ...at]) => at),
  ).toEqual([
    ["3", "get"],
    ["4", "methd"],
    ["5", "post"],
  ]);
});

it("refuses to carry credentials in clear text, and names the place of the endpoint", async () => {
  const env = { LRO_GATEWAY_UPSTREAM_ENDPOINT: "http://api.example" };
  const { code, stderr } = await runInside(["check-config"], env);
  expect(code).toBe(2);
  expect(stderr).toContain(
    "  LRO_GATEWAY_UPSTREAM_ENDPOINT: upstream.endpoint: is http, on which a token would",
  );
  const none = await runInside(["check-config", "--upstream-credentials", "none"], env);
  expect(none.code).toBe(0);
});

it("refuses a key without its certificate, a certificate that is none, and a proxy that is no URL", async () => {
  const pem = write("not.pem", "hello\n");
  const endpoint = ["check-config", "--upstream-endpoint", "https://api.example"];
  const key = await runInside([...endpoint, "--upstream-client-key", pem]);
  expect(key.stderr).toContain("upstream.client_certificate: is missing");
  const ca = await runInside([...endpoint, "--upstream-ca", pem]);
  expect(ca.stderr).toContain("  --upstream-ca: upstream.ca: does not hold certificates in PEM form");
  const proxy = await runInside(endpoint, { https_proxy: "nonsense" });
  expect(proxy.stderr).toContain("  HTTPS_PROXY: is not an http or https URL");
  expect([key.code, ca.code, proxy.code]).toEqual([2, 2, 2]);
});
