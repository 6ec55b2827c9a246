import { globSync } from "node:fs";
import { createRegistry, fromJson, type JsonValue } from "@bufbuild/protobuf";
import { beforeAll, expect, test } from "vitest";
import { OperationSchema } from "../../gen/google/longrunning/operations_pb.ts";
import { createEmulator } from "../../src/emulator/emulator.ts";
import { OPERATION_KINDS } from "../../src/emulator/kinds.ts";
import { DATASET, jsonOf, type OperationJson, send } from "./harness.ts";
import { manualClock } from "./manual-clock.ts";

let registry = createRegistry();
beforeAll(async () => {
  const files = globSync("gen/google/**/*_pb.ts").map((path) => import(/* @vite-ignore */ `../../${path}`));
  const modules: Record<string, unknown>[] = await Promise.all(files);
  const descriptors = modules.flatMap((module) =>
    Object.entries(module)
      .filter(([key]) => key.startsWith("file_"))
      .map(([, value]) => value as Parameters<typeof createRegistry>[0]),
  );
  const { EmptySchema } = await import("@bufbuild/protobuf/wkt");
  registry = createRegistry(...descriptors, EmptySchema);
});

async function get(
  emulator: ReturnType<typeof createEmulator>,
  name: string,
  version = "v1",
): Promise<OperationJson> {
  return jsonOf<OperationJson>(await send(emulator, "GET", `/${version}/${name}`));
}

test.each(OPERATION_KINDS.flatMap((kind) => kind.versions.map((version) => [kind.name, version] as const)))(
  "shows %s of %s with types that the published schema knows, running, done and in part",
  async (kind, version) => {
    const clock = manualClock();
    const emulator = createEmulator({ clock });
    const names = (["success", "partial", "empty", "error", "nothing", "cancelled"] as const).map((outcome) =>
      emulator.createOperation({ dataset: DATASET, kind, version, outcome, durationMs: 10_000 }),
    );
    for (const ms of [0, 5_000, 5_000, 60_000]) {
      clock.advance(ms);
      for (const name of names) {
        const json = await get(emulator, name);
        // Strict: an unknown field or an unregistered type throws.
        const message = fromJson(OperationSchema, json as unknown as JsonValue, { registry });
        expect(message.name).toBe(name);
        expect(message.metadata?.typeUrl).toContain(`google.cloud.healthcare.${version}.OperationMetadata`);
      }
    }
  },
);

test("leaves out what is false, zero or unset, and writes int64 as strings", async () => {
  const clock = manualClock();
  const emulator = createEmulator({ clock });
  const name = emulator.createOperation({ dataset: DATASET, durationMs: 10_000, units: 1000 });
  expect(await get(emulator, name)).toEqual({
    name,
    metadata: {
      "@type": "type.googleapis.com/google.cloud.healthcare.v1.OperationMetadata",
      apiMethodName: "google.cloud.healthcare.v1.fhir.FhirStoreService.ImportResources",
      createTime: "2026-03-01T00:00:00.000000Z",
      logsUrl: expect.stringMatching(/^https:\/\/console\.cloud\.google\.com\/logs\/query/),
      counter: { pending: "1000" },
    },
  });
  clock.advance(2_500);
  expect((await get(emulator, name)).metadata.counter).toEqual({ pending: "750", success: "250" });
  clock.advance(7_500);
  expect(await get(emulator, name)).toMatchObject({
    done: true,
    response: { "@type": "type.googleapis.com/google.cloud.healthcare.v1.fhir.ImportResourcesResponse" },
    metadata: { endTime: "2026-03-01T00:00:10.000000Z", counter: { success: "1000" } },
  });
});

test("lets counters of two kinds only grow and the rest only shrink", async () => {
  const clock = manualClock();
  const emulator = createEmulator({ clock });
  const spec = {
    dataset: DATASET,
    kind: "fhirStores.bulkDelete",
    outcome: "partial",
    durationMs: 60_000,
  } as const;
  const name = emulator.createOperation(spec);
  let last = {
    pending: Number.POSITIVE_INFINITY,
    success: 0,
    failure: 0,
    secondarySuccess: 0,
    secondaryFailure: 0,
  };
  for (let second = 0; second < 70; second++) {
    const counter = (await get(emulator, name)).metadata.counter ?? {};
    const now = Object.fromEntries(
      Object.keys(last).map((key) => [key, Number(counter[key] ?? 0)]),
    ) as typeof last;
    expect(now.pending).toBeLessThanOrEqual(last.pending);
    for (const key of ["success", "failure", "secondarySuccess", "secondaryFailure"] as const) {
      expect(now[key]).toBeGreaterThanOrEqual(last[key]);
    }
    last = now;
    clock.advance(1_000);
  }
  expect(last).toEqual({
    pending: 0,
    success: 9700,
    failure: 300,
    secondarySuccess: 29100,
    secondaryFailure: 900,
  });
});

test("ends in each way that the proto allows", async () => {
  const emulator = createEmulator({ clock: manualClock() });
  const finished = (outcome: Parameters<typeof emulator.createOperation>[0] & object) =>
    get(
      emulator,
      emulator.createOperation({ dataset: DATASET, durationMs: 1_000, ageMs: 5_000, ...outcome }),
    );
  const empty = await finished({ outcome: "empty" });
  expect(empty.response).toEqual({ "@type": "type.googleapis.com/google.protobuf.Empty" });
  const nothing = await finished({ outcome: "nothing" });
  expect([nothing.done, nothing.error, nothing.response]).toEqual([true, undefined, undefined]);
  const details = [{ "@type": "type.googleapis.com/x.Unknown", any: [1, "thing"] }];
  const failed = await finished({ outcome: { type: "error", code: 9, message: "no", details } });
  expect(failed.error).toEqual({ code: 9, message: "no", details });
  const response = { "@type": "type.googleapis.com/x.Other", a: null };
  expect((await finished({ outcome: { type: "success", response } })).response).toEqual(response);
  const cancelled = await finished({ outcome: "cancelled" });
  expect([cancelled.error?.code, cancelled.metadata.cancelRequested]).toEqual([1, true]);
  const partial = await finished({ outcome: "partial" });
  expect(Number(partial.metadata.counter?.["failure"])).toBeGreaterThan(0);
  const changed = await finished({
    metadata: { apiMethodName: null, extra: { deep: true }, "@type": "t/x.New" },
  });
  expect(changed.metadata).toMatchObject({ "@type": "t/x.New", extra: { deep: true } });
  expect(changed.metadata).not.toHaveProperty("apiMethodName");
});

test("forgets an operation 30 days after its end", async () => {
  const clock = manualClock();
  const emulator = createEmulator({ clock });
  const name = emulator.createOperation({ dataset: DATASET, durationMs: 1_000 });
  clock.advance(30 * 24 * 3_600_000 + 999);
  expect((await get(emulator, name)).done).toBe(true);
  clock.advance(1);
  expect((await send(emulator, "GET", `/v1/${name}`)).status).toBe(404);
  expect(jsonOf(await send(emulator, "GET", `/v1/${DATASET}/operations`))).toEqual({});
});

test.each([
  [{ kind: "fhirStores.nothing" }, /kind "fhirStores.nothing" is unknown/],
  [{ dataset: "projects/p" }, /dataset must look like/],
  [{ kind: "annotationStores.import", version: "v1" }, /exists in v1beta1 only/],
  [{ durationMs: -1 }, /durationMs must be a number of 0 or more/],
  [{ outcome: { type: "error", code: 17, message: "" } }, /google.rpc code from 1 to 16/],
  [{ id: "a/b" }, /one path segment/],
] as const)("says what is wrong with the spec %j", (spec, message) => {
  const emulator = createEmulator({ clock: manualClock() });
  expect(() => emulator.createOperation(spec)).toThrow(message);
});

test("makes ids like Google's, and the same ones from the same seed", () => {
  const names = () => {
    const emulator = createEmulator({ clock: manualClock() });
    return Array.from({ length: 100 }, () => emulator.createOperation({ dataset: DATASET }));
  };
  const first = names();
  expect(new Set(first).size).toBe(100);
  for (const name of first) expect(name).toMatch(/\/operations\/\d{18,19}$/);
  expect(names()).toEqual(first);
});
