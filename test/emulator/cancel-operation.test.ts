import { expect, test } from "vitest";
import { createEmulator } from "../../src/emulator/emulator.ts";
import type { OperationSpec } from "../../src/emulator/operation-spec.ts";
import { DATASET, type ErrorJson, jsonOf, type OperationJson, send, textOf } from "./harness.ts";
import { manualClock } from "./manual-clock.ts";

function running(spec: OperationSpec = {}) {
  const clock = manualClock();
  const emulator = createEmulator({ clock });
  const name = emulator.createOperation({
    dataset: DATASET,
    durationMs: 60_000,
    cancelDelayMs: 2_000,
    ...spec,
  });
  const cancel = (body = "") => send(emulator, "POST", `/v1beta1/${name}:cancel`, { body });
  const get = async () => jsonOf<OperationJson>(await send(emulator, "GET", `/v1/${name}`));
  return { clock, emulator, name, cancel, get };
}

test.each(["", "{}", " {\n} "])(
  "accepts a cancel with the body %j, and ends the operation after its delay",
  async (body) => {
    const { clock, cancel, get } = running();
    clock.advance(5_000);
    const answer = await cancel(body);
    expect([answer.status, textOf(answer)]).toEqual([200, "{}\n"]);
    expect(await get()).toMatchObject({ metadata: { cancelRequested: true } });
    clock.advance(1_999);
    expect(await get()).not.toHaveProperty("done");
    clock.advance(1);
    const { done, error, response, metadata } = await get();
    expect([done, error?.code, response]).toEqual([true, 1, undefined]);
    expect(metadata.endTime).toBe("2026-03-01T00:00:07.000000Z");
    expect(metadata.counter?.["pending"]).toBeDefined();
  },
);

test("accepts a second cancel of a running operation and does not end it later for that", async () => {
  const { clock, cancel, get } = running();
  await cancel();
  clock.advance(1_500);
  expect((await cancel()).status).toBe(200);
  clock.advance(500);
  expect((await get()).error?.code).toBe(1);
});

test("answers a cancel of a finished operation, cancelled or not, with 400 and the text that clients look for", async () => {
  const { clock, cancel } = running();
  await cancel();
  clock.advance(2_000);
  const answer = await cancel();
  expect(answer.status).toBe(400);
  expect(jsonOf(answer)).toEqual({
    error: {
      code: 400,
      message: "Precondition check failed.",
      status: "FAILED_PRECONDITION",
      details: [
        { "@type": "type.googleapis.com/google.rpc.DebugInfo", detail: "operation has already completed" },
      ],
    },
  });
});

test("lets an operation that ends before the cancellation takes effect complete", async () => {
  const { clock, cancel, get } = running({ durationMs: 10_000 });
  clock.advance(8_500);
  expect((await cancel()).status).toBe(200);
  clock.advance(1_500);
  const { done, error, response, metadata } = await get();
  expect([done, error, metadata.cancelRequested]).toEqual([true, undefined, true]);
  expect(response?.["@type"]).toContain("ImportResourcesResponse");
});

test("lets an operation that does not heed a cancellation complete as planned", async () => {
  const { clock, cancel, get } = running({ onCancel: "complete" });
  expect((await cancel()).status).toBe(200);
  clock.advance(59_999);
  expect(await get()).not.toHaveProperty("done");
  clock.advance(1);
  const { done, error, metadata } = await get();
  expect([done, error, metadata.cancelRequested]).toEqual([true, undefined, true]);
});

test("ends an operation without an end by cancellation only", async () => {
  const { clock, cancel, get } = running({ durationMs: null });
  clock.advance(1e9);
  expect(await get()).not.toHaveProperty("done");
  await cancel();
  clock.advance(2_000);
  expect((await get()).error?.code).toBe(1);
});

test("answers a cancel of what does not exist with NOT_FOUND", async () => {
  const { emulator } = running();
  const answer = await send(emulator, "POST", `/v1/${DATASET}/operations/1:cancel`);
  expect([answer.status, jsonOf<ErrorJson>(answer).error.status]).toEqual([404, "NOT_FOUND"]);
});

test.each([
  ['{"name": "x"}', 'Unknown name "name": Cannot find field.'],
  ['{"reason": 1}', 'Unknown name "reason": Cannot find field.'],
  ["[]", "Root element must be a message."],
  ["null", "Root element must be a message."],
  ["{", "Unexpected token."],
  ["name=x", "Unexpected token."],
])("refuses the body %s as the transcoder does, and cancels nothing", async (body, words) => {
  const { cancel, get } = running();
  const answer = await cancel(body);
  expect(answer.status).toBe(400);
  const { error } = jsonOf<ErrorJson>(answer);
  expect(error.status).toBe("INVALID_ARGUMENT");
  expect(error.message).toContain(words);
  expect(error.details?.[0]).toMatchObject({
    "@type": "type.googleapis.com/google.rpc.BadRequest",
    fieldViolations: [{ description: error.message }],
  });
  expect((await get()).metadata).not.toHaveProperty("cancelRequested");
});

test("answers a POST without a length with the 411 page, and cancels nothing", async () => {
  const { emulator, name, get } = running();
  const request = { verb: "POST", target: `/v1/${name}:cancel`, headers: {}, body: new Uint8Array() };
  const answer = await emulator.handle(request);
  expect([answer.status, answer.headers["content-type"]]).toEqual([411, "text/html; charset=UTF-8"]);
  expect(textOf(answer)).toContain("POST requests require a <code>Content-length</code> header");
  expect((await get()).metadata).not.toHaveProperty("cancelRequested");
  expect((await emulator.handle({ ...request, headers: { "transfer-encoding": "chunked" } })).status).toBe(
    200,
  );
});

test("finishes and forgets operations on command", async () => {
  const { emulator, name, get } = running();
  emulator.finishOperation(name, { type: "error", code: 5, message: "gone" });
  expect((await get()).error).toEqual({ code: 5, message: "gone" });
  expect(() => emulator.finishOperation(name)).toThrow(/does not run/);
  expect(emulator.removeOperation(name)).toBe(true);
  expect(emulator.removeOperation(name)).toBe(false);
  expect((await send(emulator, "GET", `/v1/${name}`)).status).toBe(404);
});
