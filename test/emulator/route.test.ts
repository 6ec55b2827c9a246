import { expect, test } from "vitest";
import { createEmulator } from "../../src/emulator/emulator.ts";
import { OPERATION_KINDS } from "../../src/emulator/kinds.ts";
import { findRoute } from "../../src/emulator/route.ts";
import { DATASET, type ErrorJson, jsonOf, send, textOf } from "./harness.ts";
import { manualClock } from "./manual-clock.ts";

const OPERATION = `${DATASET}/operations/17`;

test.each([
  ["GET", `/v1/${OPERATION}`, { method: "get", version: "v1", name: OPERATION }],
  ["HEAD", `/v1/${OPERATION}`, { method: "get" }],
  ["GET", `/v1beta1/${DATASET}/operations`, { method: "list", version: "v1beta1", name: DATASET }],
  ["POST", `/v1beta1/${OPERATION}:cancel`, { method: "cancel", version: "v1beta1", name: OPERATION }],
  ["GET", `/v1/${DATASET}/fhirStores/f/operations/1`, { method: "getFhir" }],
  ["DELETE", `/v1/${DATASET}/fhirStores/f/operations/1`, { method: "deleteFhir" }],
  [
    "GET",
    `/v1/${DATASET}/fhirStores/f/fhir/$export`,
    { method: "exportFhir", name: `${DATASET}/fhirStores/f` },
  ],
  ["GET", `/v1/${DATASET}`, { method: "getDataset", name: DATASET }],
  ["GET", "/v1/projects/p/locations/l/datasets", { method: "listDatasets", name: "projects/p/locations/l" }],
  [
    "GET",
    `/v1/projects/example.com:p/locations/l/datasets/d/operations/1`,
    { name: "projects/example.com:p/locations/l/datasets/d/operations/1" },
  ],
  [
    "GET",
    "/v1/projects/p/locations/l/datasets/%C3%A9%F0%A0%AE%B7/operations/1",
    { name: "projects/p/locations/l/datasets/é𠮷/operations/1" },
  ],
])("routes %s %s", (verb, path, expected) => {
  expect(findRoute(verb, path)).toMatchObject(expected);
});

test.each([
  ["an unknown version", "GET", `/v2/${OPERATION}`, 404],
  ["no version", "GET", `/${OPERATION}`, 404],
  ["an unknown path", "GET", "/v1/projects/p/locations/l/operations/1", 404],
  ["the root", "GET", "/", 404],
  ["an encoded verb colon", "POST", `/v1/${OPERATION}%3Acancel`, 404],
  ["encoded slashes", "GET", `/v1/${OPERATION.replaceAll("/", "%2F")}`, 404],
  ["one encoded slash", "GET", `/v1/${DATASET}%2foperations/1`, 404],
  ["a cancel by GET", "GET", `/v1/${OPERATION}:cancel`, 404],
  ["a delete, which does not exist", "DELETE", `/v1/${OPERATION}`, 404],
  ["a wait, which does not exist", "POST", `/v1/${OPERATION}:wait`, 404],
  ["an empty segment", "GET", "/v1/projects//locations/l/datasets/d/operations/1", 404],
  ["a trailing slash", "GET", `/v1/${OPERATION}/`, 404],
  ["a dot segment", "GET", "/v1/projects/p/locations/l/datasets/../operations/1", 400],
  ["an encoded dot segment", "GET", "/v1/projects/p/locations/l/datasets/%2e%2E/operations/1", 400],
  ["bytes that are no UTF-8", "GET", "/v1/projects/p/locations/l/datasets/%ff/operations/1", 400],
  ["an unknown HTTP method", "PURGE", `/v1/${OPERATION}`, 405],
  ["a method of v1beta1 in v1", "POST", `/v1/${DATASET}/fhirStores/f:configureSearch`, 404],
])("answers %s with the front end's HTML page", async (_what, verb, path, status) => {
  const answer = await send(createEmulator({ clock: manualClock() }), verb, path);
  expect(answer.status).toBe(status);
  expect(answer.headers["content-type"]).toBe("text/html; charset=UTF-8");
  expect(textOf(answer)).toContain(`<title>Error ${status}`);
});

test("escapes what it repeats of the request", async () => {
  const answer = await send(createEmulator({ clock: manualClock() }), "GET", "/<script>alert(1)</script>");
  expect(textOf(answer)).toContain("&lt;script&gt;");
  expect(textOf(answer)).not.toContain("<script>");
});

test.each(OPERATION_KINDS.flatMap((kind) => kind.versions.map((version) => [version, kind] as const)))(
  "starts an operation through %s of $name, whose types are of that version for ever",
  async (version, kind) => {
    const clock = manualClock();
    const emulator = createEmulator({ clock });
    emulator.createDataset(DATASET);
    const [verb = "", path = ""] = kind.start.split(" ");
    const onDataset = path.startsWith(":") ? DATASET + path : `${DATASET}/${path.replaceAll("*", "x")}`;
    const target = path === "" ? "projects/p/locations/l/datasets?datasetId=new" : onDataset;
    const started = await send(emulator, verb, `/${version}/${target}`, { body: "{}" });
    expect(started.status).toBe(200);
    const body = jsonOf<{ name: string }>(started);
    expect(Object.keys(body)).toEqual(["name"]);
    const parent = path === "" ? "projects/p/locations/l/datasets/new" : DATASET;
    expect(body.name.startsWith(`${parent}/operations/`)).toBe(true);
    for (const reader of ["v1", "v1beta1"]) {
      const operation = jsonOf<{ metadata: Record<string, string> }>(
        await send(emulator, "GET", `/${reader}/${body.name}`),
      );
      expect(operation.metadata["@type"]).toBe(
        `type.googleapis.com/google.cloud.healthcare.${version}.OperationMetadata`,
      );
      expect(operation.metadata["apiMethodName"]).toBe(`google.cloud.healthcare.${version}.${kind.method}`);
    }
  },
);

test("starts nothing in a dataset that does not exist, with an id that is none, or twice", async () => {
  const emulator = createEmulator({ clock: manualClock() });
  const missing = await send(emulator, "POST", `/v1/${DATASET}/fhirStores/f:import`);
  expect([missing.status, jsonOf<ErrorJson>(missing).error.status]).toEqual([404, "NOT_FOUND"]);
  const target = "/v1/projects/p/locations/l/datasets";
  for (const id of ["", "a/b", "a b", "x".repeat(257)]) {
    const answer = await send(emulator, "POST", `${target}?datasetId=${encodeURIComponent(id)}`);
    expect([id, answer.status]).toEqual([id, 400]);
  }
  expect((await send(emulator, "POST", `${target}?datasetId=d`)).status).toBe(200);
  const again = await send(emulator, "POST", `${target}?datasetId=d`);
  expect([again.status, jsonOf<ErrorJson>(again).error.status]).toEqual([409, "ALREADY_EXISTS"]);
  expect(jsonOf(await send(emulator, "GET", target))).toEqual({
    datasets: [{ name: DATASET, timeZone: "UTC" }],
  });
  expect((await send(emulator, "POST", `/v1/${DATASET}/fhirStores/f:import`, { body: "[1]" })).status).toBe(
    400,
  );
});
