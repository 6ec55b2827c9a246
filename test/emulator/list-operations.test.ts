import { expect, test } from "vitest";
import { createEmulator, type Emulator } from "../../src/emulator/emulator.ts";
import { DATASET, type ErrorJson, jsonOf, type OperationJson, send } from "./harness.ts";
import { manualClock } from "./manual-clock.ts";

interface Page {
  operations?: OperationJson[];
  nextPageToken?: string;
  unreachable?: string[];
}

async function page(emulator: Emulator, query = "", parent = DATASET): Promise<Page> {
  const answer = await send(emulator, "GET", `/v1/${parent}/operations${query}`);
  expect(answer.status).toBe(200);
  return jsonOf<Page>(answer);
}

function names({ operations = [] }: Page): string[] {
  return operations.map(({ name }) => name);
}

function emulatorWith(count: number) {
  const clock = manualClock();
  const emulator = createEmulator({ clock });
  const created: string[] = [];
  for (let index = 0; index < count; index++) {
    created.push(emulator.createOperation({ dataset: DATASET, durationMs: 1_000 * (index + 1) }));
    clock.advance(1);
  }
  return { clock, emulator, created };
}

test("pages through all operations, newest first, each once, whatever starts and ends meanwhile", async () => {
  const { clock, emulator, created } = emulatorWith(25);
  const seen: string[] = [];
  let token = "";
  do {
    const found = await page(emulator, `?pageSize=4&pageToken=${token}`);
    expect(names(found).length).toBeLessThanOrEqual(4);
    seen.push(...names(found));
    token = found.nextPageToken ?? "";
    emulator.createOperation({ dataset: DATASET });
    clock.advance(500);
  } while (token !== "");
  expect(seen).toEqual(created.toReversed());
});

test("ends without a token, also where the last page is full", async () => {
  const { emulator } = emulatorWith(8);
  const first = await page(emulator, "?pageSize=4");
  expect(first.nextPageToken).toMatch(/^[\w-]+$/);
  expect(await page(emulator, `?pageSize=4&pageToken=${first.nextPageToken}`)).not.toHaveProperty(
    "nextPageToken",
  );
});

test("gives 100 operations by default and 1,000 at most, and takes the names of the fields in both spellings", async () => {
  const { emulator } = emulatorWith(1_200);
  expect(names(await page(emulator)).length).toBe(100);
  expect(names(await page(emulator, "?pageSize=0")).length).toBe(100);
  expect(names(await page(emulator, "?pageSize=2000000")).length).toBe(1_000);
  expect(names(await page(emulator, "?page_size=7")).length).toBe(7);
});

test("shows a dataset without operations as an empty object, and a missing one as NOT_FOUND", async () => {
  const emulator = createEmulator({ clock: manualClock() });
  emulator.createDataset(DATASET);
  expect(await page(emulator)).toEqual({});
  const missing = await send(emulator, "GET", `/v1/${DATASET}2/operations`);
  expect([missing.status, jsonOf<ErrorJson>(missing).error.status]).toEqual([404, "NOT_FOUND"]);
});

test.each([
  ["pageSize=-1", "page_size"],
  ["pageSize=ten", "page_size"],
  ["pageSize=2147483648", "page_size"],
  ["pageToken=nonsense", "page_token"],
  ["pageToken=WzEsMl0", "page_token"],
  ["returnPartialSuccess=yes", "return_partial_success"],
  ["filter=state%3DRUNNING", "filter"],
  ["filter=done%3Dmaybe", "filter"],
])("refuses ?%s with a BadRequest on %s", async (query, field) => {
  const { emulator } = emulatorWith(1);
  const answer = await send(emulator, "GET", `/v1/${DATASET}/operations?${query}`);
  expect(answer.status).toBe(400);
  expect(jsonOf<ErrorJson>(answer).error).toMatchObject({
    status: "INVALID_ARGUMENT",
    details: [{ "@type": "type.googleapis.com/google.rpc.BadRequest", fieldViolations: [{ field }] }],
  });
});

test("refuses a token that belongs to another list", async () => {
  const { emulator } = emulatorWith(3);
  emulator.createDataset(`${DATASET}2`);
  const { nextPageToken } = await page(emulator, "?pageSize=1");
  for (const target of [
    `${DATASET}2/operations?pageToken=${nextPageToken}`,
    `${DATASET}/operations?filter=done%3Dtrue&pageToken=${nextPageToken}`,
  ]) {
    expect((await send(emulator, "GET", `/v1/${target}`)).status).toBe(400);
  }
});

test.each([
  ["foo=1", 'Unknown name "foo": Cannot bind query parameter'],
  ["name=x", 'Unknown name "name"'],
])("refuses the unknown parameter ?%s in the transcoder's words", async (query, words) => {
  const { emulator } = emulatorWith(1);
  const answer = await send(emulator, "GET", `/v1/${DATASET}/operations?${query}`);
  expect(answer.status).toBe(400);
  expect(jsonOf<ErrorJson>(answer).error.message).toContain(words);
});

test.each([
  ["done=true", 3],
  ["done = false", 2],
  ["done", 3],
  ["NOT done", 2],
  ["-done", 2],
  ["NOT done=false", 3],
  ['metadata.apiMethodName:"ImportResources" AND done=true', 3],
  ["metadata.apiMethodName=google.cloud.healthcare.v1.fhir.FhirStoreService.ImportResources", 5],
  ["metadata.apiMethodName:ExportMessages", 0],
  ["", 5],
])("filters by %j", async (filter, expected) => {
  const { clock, emulator } = emulatorWith(5);
  clock.advance(3_100);
  expect(names(await page(emulator, `?filter=${encodeURIComponent(filter)}`)).length).toBe(expected);
});

test("lists across datasets and locations where a segment is a dash", async () => {
  const emulator = createEmulator({ clock: manualClock() });
  const at = (dataset: string) => emulator.createOperation({ dataset: `projects/p/locations/${dataset}` });
  const [a, b, c] = [at("l/datasets/d"), at("l/datasets/e"), at("m/datasets/d")];
  const other = emulator.createOperation({ dataset: "projects/q/locations/l/datasets/d" });
  expect(names(await page(emulator, "", "projects/p/locations/-/datasets/-")).sort()).toEqual(
    [a, b, c].sort(),
  );
  expect(names(await page(emulator, "", "projects/p/locations/l/datasets/-")).sort()).toEqual([a, b].sort());
  expect(names(await page(emulator, "", "projects/q/locations/-/datasets/d"))).toEqual([other]);
});

test("with returnPartialSuccess names what it cannot reach, without it fails as a whole", async () => {
  const emulator = createEmulator({ clock: manualClock() });
  const near = emulator.createOperation({ dataset: "projects/p/locations/l/datasets/d" });
  emulator.createOperation({ dataset: "projects/p/locations/m/datasets/d" });
  emulator.configure({ unreachable: ["projects/p/locations/m"] });
  const all = "projects/p/locations/-/datasets/-";
  const failed = await send(emulator, "GET", `/v1/${all}/operations`);
  expect([failed.status, jsonOf<ErrorJson>(failed).error.status]).toEqual([503, "UNAVAILABLE"]);
  const partial = await page(emulator, "?returnPartialSuccess=true", all);
  expect([names(partial), partial.unreachable]).toEqual([[near], ["projects/p/locations/m"]]);
  expect(await page(emulator, "?returnPartialSuccess=true")).not.toHaveProperty("unreachable");
});

test("shows ends and beginnings late where lists lag, and ends late where reads lag", async () => {
  const clock = manualClock();
  const emulator = createEmulator({ clock, settings: { readLagMs: 2_000, listLagMs: 5_000 } });
  const name = emulator.createOperation({ dataset: DATASET, durationMs: 10_000 });
  const readDone = async () =>
    jsonOf<OperationJson>(await send(emulator, "GET", `/v1/${name}`)).done ?? false;
  const listed = async () => (await page(emulator)).operations?.map(({ done }) => done ?? false);
  expect([await readDone(), await listed()]).toEqual([false, undefined]);
  clock.advance(5_000);
  expect(await listed()).toEqual([false]);
  clock.advance(6_999);
  expect([emulator.operation(name)?.["done"], await readDone(), await listed()]).toEqual([
    true,
    false,
    [false],
  ]);
  clock.advance(1);
  expect([await readDone(), await listed()]).toEqual([true, [false]]);
  clock.advance(3_000);
  expect(await listed()).toEqual([true]);
});

test("answers empty pages that go on, on request, without losing an operation", async () => {
  const { emulator, created } = emulatorWith(6);
  emulator.addFault({ match: { method: "list" }, times: 1, skip: 1, emptyPage: true });
  emulator.addFault({ match: { method: "list" }, times: 1, emptyPage: true });
  const seen: string[] = [];
  let empty = 0;
  let token = "";
  do {
    const found = await page(emulator, `?pageSize=3&pageToken=${token}`);
    if (!found.operations) empty++;
    seen.push(...names(found));
    token = found.nextPageToken ?? "";
  } while (token !== "");
  expect([empty, seen]).toEqual([2, created.toReversed()]);
});
