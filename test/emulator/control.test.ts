import { networkInterfaces } from "node:os";
import { afterEach, beforeEach, expect, test } from "vitest";
import { mayControl } from "../../src/emulator/control-guard.ts";
import { type RunningEmulator, startEmulator } from "../../src/emulator/start-emulator.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { DATASET, type ErrorJson, type OperationJson, rawExchange } from "./harness.ts";

let running: RunningEmulator;
beforeEach(async () => {
  running = await startEmulator({ clock: systemClock, listen: "127.0.0.1:0" });
});
afterEach(() => running.close());

async function command<T>(verb: string, path: string, body?: unknown): Promise<{ status: number; json: T }> {
  const init = body === undefined ? { method: verb } : { method: verb, body: JSON.stringify(body) };
  const answer = await fetch(`${running.endpoint}/emulator/v1${path}`, init);
  return { status: answer.status, json: (await answer.json()) as T };
}

const get = (name: string) => fetch(`${running.endpoint}/v1/${name}`);

test("creates one operation or many, finishes and forgets them", async () => {
  const spec = { dataset: DATASET, kind: "dicomStores.export", version: "v1beta1", durationMs: null };
  const { json } = await command<{ operations: OperationJson[] }>("POST", "/operations", spec);
  const name = json.operations[0]?.name ?? "";
  expect(json.operations[0]?.metadata.apiMethodName).toBe(
    "google.cloud.healthcare.v1beta1.dicom.DicomService.ExportDicomData",
  );
  expect(((await (await get(name)).json()) as OperationJson).name).toBe(name);
  const many = await command<{ operations: OperationJson[] }>("POST", "/operations", {
    dataset: DATASET,
    count: 50,
  });
  expect(new Set(many.json.operations.map((operation) => operation.name)).size).toBe(50);
  const outcome = { type: "error", code: 8, message: "full" };
  const finished = await command<OperationJson>("POST", "/operations:finish", { name, outcome });
  expect([finished.json.done, finished.json.error]).toEqual([true, { code: 8, message: "full" }]);
  const response = { "@type": "type.googleapis.com/x.New", value: "1" };
  const other = { dataset: DATASET, ageMs: 90_000, outcome: { type: "success", response } };
  expect(
    (await command<{ operations: OperationJson[] }>("POST", "/operations", other)).json.operations[0]
      ?.response,
  ).toEqual(response);
  expect((await command("POST", "/operations:finish", { name })).status).toBe(400);
  expect((await command("POST", "/operations:remove", { name })).status).toBe(200);
  expect([(await command("POST", "/operations:remove", { name })).status, (await get(name)).status]).toEqual([
    404, 404,
  ]);
});

test("injects, shows and removes faults", async () => {
  await command("POST", "/datasets", { name: DATASET });
  const list = () => get(`${DATASET}/operations`).then(({ status }) => status);
  const fault = { match: { method: "list" }, times: 2, answer: { status: 503 } };
  const { json } = await command<{ id: number }>("POST", "/faults", fault);
  expect([await list(), await list(), await list()]).toEqual([503, 503, 200]);
  const shown = await command<{ faults: unknown[] }>("GET", "/faults");
  expect(shown.json.faults).toEqual([{ id: json.id, matched: 2, hit: 2, ...fault }]);
  expect((await command("DELETE", `/faults/${json.id}`)).status).toBe(200);
  expect((await command("DELETE", `/faults/${json.id}`)).status).toBe(404);
  await command("POST", "/faults", { answer: { status: 500 } });
  expect(await list()).toBe(500);
  await command("DELETE", "/faults");
  expect(await list()).toBe(200);
});

test("shows what was asked, with credentials hidden, and how often", async () => {
  const { json: created } = await command<{ operations: OperationJson[] }>("POST", "/operations", {
    dataset: DATASET,
  });
  const name = created.operations[0]?.name ?? "";
  const headers = { authorization: "Bearer secret-token", "x-goog-api-key": "secret-key", "x-extra": "kept" };
  await fetch(`${running.endpoint}/v1/${name}?access_token=secret-token&key=secret-key`, { headers });
  const answer = await fetch(`${running.endpoint}/v1beta1/${name}:cancel`, { method: "POST", body: "{}" });
  const { json } = await command<{ counts: unknown; requests: Record<string, unknown>[] }>(
    "GET",
    "/requests",
  );
  expect(JSON.stringify(json)).not.toContain("secret");
  expect(json.counts).toEqual({ total: 2, byMethod: { get: 1, cancel: 1 }, byStatus: { 200: 2 } });
  expect(json.requests[0]).toMatchObject({
    method: "get",
    verb: "GET",
    version: "v1",
    name,
    target: `/v1/${name}?access_token=[hidden]&key=[hidden]`,
    headers: { authorization: "Bearer [12 characters]", "x-extra": "kept" },
    status: 200,
  });
  expect(json.requests[1]).toMatchObject({ method: "cancel", version: "v1beta1", body: "{}", bodyBytes: 2 });
  expect(answer.headers.get("x-goog-request-id")).toBe(json.requests[1]?.["id"]);
  expect(
    (await command<{ requests: unknown[] }>("GET", "/requests?method=get&limit=5")).json.requests.length,
  ).toBe(1);
  expect((await command<{ requests: unknown[] }>("GET", "/requests?limit=0")).json.requests).toEqual([]);
  await command("DELETE", "/requests");
  expect((await command<{ counts: unknown }>("GET", "/requests")).json.counts).toMatchObject({ total: 0 });
});

test("changes settings one by one, and shows them without tokens", async () => {
  const change = { auth: { tokens: { "secret-token": {} } }, rateLimit: { perSecond: 2 }, readLagMs: 5 };
  const { json } = await command<Record<string, unknown>>("PATCH", "/settings", change);
  expect(JSON.stringify(json)).not.toContain("secret");
  expect(json).toMatchObject({
    auth: { tokens: "1 (hidden)" },
    rateLimit: { perSecond: 2, burst: 2 },
    readLagMs: 5,
    listLagMs: 0,
  });
  await command("PATCH", "/settings", { rateLimit: null, listLagMs: 7 });
  expect((await command("GET", "/settings")).json).toMatchObject({
    rateLimit: null,
    readLagMs: 5,
    listLagMs: 7,
  });
  expect((await get(`${DATASET}/operations`)).status).toBe(401);
});

test("goes back to the beginning", async () => {
  await command("POST", "/operations", { dataset: DATASET });
  await command("POST", "/faults", { answer: { status: 500 } });
  await command("PATCH", "/settings", { auth: {} });
  await command("POST", "/reset");
  expect((await get(`${DATASET}/operations`)).status).toBe(404);
});

test("serves the status requests of FHIR bulk exports", async () => {
  const store = `${DATASET}/fhirStores/f`;
  await command("POST", "/fhirOperations", { name: `${store}/operations/1`, durationMs: 3_600_000 });
  await command("POST", "/fhirOperations", { name: `${store}/operations/2`, ageMs: 90_000 });
  await command("POST", "/fhirOperations", {
    name: `${store}/operations/3`,
    ageMs: 90_000,
    outcome: "failure",
  });
  const pending = await get(`${store}/operations/1`);
  expect([pending.status, pending.headers.get("x-progress")]).toEqual([202, "in progress"]);
  expect(await (await get(`${store}/operations/2`)).json()).toMatchObject({ output: [{ type: "Patient" }] });
  const failed = await get(`${store}/operations/3`);
  expect([failed.status, failed.headers.get("content-type")]).toEqual([
    500,
    "application/fhir+json;charset=utf-8",
  ]);
  expect(await failed.json()).toMatchObject({ resourceType: "OperationOutcome" });
  const remove = (id: number) =>
    fetch(`${running.endpoint}/v1/${store}/operations/${id}`, { method: "DELETE" }).then(
      ({ status }) => status,
    );
  expect([
    await remove(1),
    await remove(1),
    await remove(2),
    (await get(`${store}/operations/1`)).status,
  ]).toEqual([202, 404, 400, 404]);
  const started = await get(`${store}/fhir/$export`);
  const location = started.headers.get("content-location") ?? "";
  expect([started.status, (await fetch(running.endpoint + location)).status]).toEqual([202, 202]);
});

test.each([
  ["POST", "/operations", { kid: 1 }, "operation.kid is not known; allowed are ageMs"],
  ["POST", "/operations", { kind: "x" }, 'kind "x" is unknown'],
  ["POST", "/operations", { count: 1.5 }, "operation.count must be a whole number from 1 to 10000"],
  ["POST", "/operations", { count: 2, id: "a" }, "operation.id cannot go with a count"],
  [
    "POST",
    "/operations",
    { durationMs: "1s" },
    'operation.durationMs must be a number of 0 or more, got "1s"',
  ],
  ["POST", "/operations", { outcome: "fine" }, "operation.outcome must be one of success"],
  ["POST", "/operations", { outcome: {} }, "outcome.type must be one of success"],
  ["POST", "/operations", { outcome: { type: "empty", code: 3 } }, "operation.outcome.code is not known"],
  [
    "POST",
    "/operations",
    { outcome: { type: "error", details: [1] } },
    "outcome.details must be a list of objects",
  ],
  [
    "POST",
    "/operations",
    { outcome: { type: "success", response: 1 } },
    "outcome.response must be a JSON object",
  ],
  ["POST", "/operations", { metadata: [] }, "operation.metadata must be a JSON object"],
  ["POST", "/operations", { version: "v2" }, "operation.version must be one of v1, v1beta1"],
  ["POST", "/operations:finish", {}, "finish.name is required"],
  ["POST", "/datasets", { name: "d" }, "dataset must look like"],
  ["POST", "/fhirOperations", { name: "d" }, "name must look like"],
  ["PATCH", "/settings", { rateLimit: {} }, "settings.rateLimit.perSecond is required"],
  [
    "PATCH",
    "/settings",
    { rateLimit: { perSecond: 1, methods: ["poll"] } },
    "settings.rateLimit.methods may hold get",
  ],
  ["PATCH", "/settings", { lag: 1 }, "settings.lag is not known"],
  ["GET", "/requests?limit=many", undefined, "limit must be a whole number"],
])("refuses %s %s %j and says why", async (verb, path, body, message) => {
  const { status, json } = await command<ErrorJson>(verb, path, body);
  expect([status, json.error.status]).toEqual([400, "INVALID_ARGUMENT"]);
  expect(json.error.message).toContain(message);
});

test("refuses what is no JSON, an unknown path, a wrong verb; lists its commands", async () => {
  const url = `${running.endpoint}/emulator/v1`;
  expect((await fetch(`${url}/faults`, { method: "POST", body: "{" })).status).toBe(400);
  expect((await command("GET", "/nothing")).status).toBe(404);
  const wrong = await fetch(`${url}/reset`);
  expect([wrong.status, wrong.headers.get("allow")]).toEqual([405, "POST"]);
  const { json } = await command<{ commands: unknown[] }>("GET", "");
  expect(json.commands.length).toBeGreaterThan(10);
  expect((await command<{ kinds: unknown[] }>("GET", "/kinds")).json.kinds.length).toBe(28);
});

const local = { remoteAddress: "127.0.0.1", headers: { host: "127.0.0.1:9090" } };
test.each([
  ["a local program", local, true],
  ["one over IPv6", { remoteAddress: "::1", headers: { host: "[::1]:9090" } }, true],
  ["one over IPv4 in IPv6", { remoteAddress: "::ffff:127.0.0.1", headers: { host: "localhost" } }, true],
  ["another machine", { ...local, remoteAddress: "10.0.0.7" }, false],
  ["a machine whose address only begins like it", { ...local, remoteAddress: "127.0.0.1.evil" }, false],
  ["a socket that is gone", { ...local, remoteAddress: undefined }, false],
  ["a web page", { ...local, headers: { ...local.headers, origin: "http://evil.example" } }, false],
  [
    "a web page that asks without CORS",
    { ...local, headers: { ...local.headers, "sec-fetch-site": "cross-site" } },
    false,
  ],
  ["a browser's address bar", { ...local, headers: { ...local.headers, "sec-fetch-site": "none" } }, true],
  ["a name that was re-bound", { ...local, headers: { host: "evil.example:9090" } }, false],
  ["a request without Host", { ...local, headers: {} }, false],
  ["Envoy as a sidecar", { ...local, headers: { ...local.headers, "x-forwarded-proto": "http" } }, false],
  ["a proxy", { ...local, headers: { ...local.headers, "x-forwarded-for": "10.0.0.7" } }, false],
])("decides about %s", (_what, caller, allowed) => {
  expect(mayControl(caller)).toBe(allowed);
});

test("is the front end's 404 page to everybody else, also under paths that only look alike", async () => {
  const headers = { origin: "http://evil.example" };
  const page = await fetch(`${running.endpoint}/emulator/v1/reset`, { method: "POST", headers });
  expect([page.status, page.headers.get("content-type")]).toEqual([404, "text/html; charset=UTF-8"]);
  for (const path of ["/emulator/v1x", "/emulator", "/v1/emulator/v1/reset", "/v1/../emulator/v1/reset"]) {
    const { text } = await rawExchange(
      running.endpoint,
      `GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`,
    );
    expect(text).toMatch(/^HTTP\/1\.1 40[04] /);
  }
  const elsewhere = Object.values(networkInterfaces())
    .flat()
    .find((address) => address?.family === "IPv4" && !address.internal);
  if (elsewhere) {
    const open = await startEmulator({ clock: systemClock, listen: "0.0.0.0:0" });
    const { port } = new URL(open.endpoint);
    const raw = `GET /emulator/v1/settings HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`;
    expect((await rawExchange(`http://${elsewhere.address}:${port}`, raw)).text).toMatch(/^HTTP\/1\.1 404 /);
    expect((await rawExchange(`http://127.0.0.1:${port}`, raw)).text).toMatch(/^HTTP\/1\.1 200 /);
    await open.close();
  }
});
