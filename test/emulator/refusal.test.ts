import { expect, test } from "vitest";
import { createEmulator } from "../../src/emulator/emulator.ts";
import type { Json } from "../../src/emulator/json.ts";
import { REFUSAL_REASONS } from "../../src/emulator/refusal.ts";
import { DATASET, type ErrorJson, jsonOf, send, textOf } from "./harness.ts";
import { manualClock } from "./manual-clock.ts";

const OPERATION = `${DATASET}/operations/17`;

function emulatorWith(settings: Json) {
  const clock = manualClock();
  const emulator = createEmulator({ clock, settings });
  emulator.createOperation({ dataset: DATASET, id: "17", durationMs: null });
  return { clock, emulator };
}

const tokens = {
  good: {},
  old: { expired: true },
  narrow: { scopes: ["https://www.googleapis.com/auth/devstorage.read_only"] },
  reader: { permissions: ["healthcare.operations.get", "healthcare.operations.list"] },
};

test.each([
  ["no token", undefined, 401, "CREDENTIALS_MISSING", 'Bearer realm="https://accounts.google.com/"'],
  [
    "an unknown token",
    "Bearer guess",
    401,
    "ACCESS_TOKEN_TYPE_UNSUPPORTED",
    'Bearer realm="https://accounts.google.com/", error="invalid_token"',
  ],
  [
    "a token named like a property of objects",
    "Bearer constructor",
    401,
    "ACCESS_TOKEN_TYPE_UNSUPPORTED",
    'Bearer realm="https://accounts.google.com/", error="invalid_token"',
  ],
  [
    "an empty token",
    "Bearer ",
    401,
    "ACCESS_TOKEN_TYPE_UNSUPPORTED",
    'Bearer realm="https://accounts.google.com/", error="invalid_token"',
  ],
  [
    "another scheme",
    "Basic good",
    401,
    "ACCESS_TOKEN_TYPE_UNSUPPORTED",
    'Bearer realm="https://accounts.google.com/", error="invalid_token"',
  ],
  [
    "an expired token",
    "Bearer old",
    401,
    "ACCESS_TOKEN_EXPIRED",
    'Bearer realm="https://accounts.google.com/", error="invalid_token"',
  ],
  [
    "too small a scope",
    "Bearer narrow",
    403,
    "ACCESS_TOKEN_SCOPE_INSUFFICIENT",
    'Bearer realm="https://accounts.google.com/", error="insufficient_scope", scope="https://www.googleapis.com/auth/cloud-healthcare https://www.googleapis.com/auth/cloud-platform"',
  ],
  ["a missing permission", "Bearer reader", 403, "IAM_PERMISSION_DENIED", undefined],
])("refuses %s", async (_what, authorization, status, reason, challenge) => {
  const { emulator } = emulatorWith({ auth: { tokens } });
  const headers = authorization === undefined ? {} : { authorization };
  const answer = await send(emulator, "POST", `/v1/${OPERATION}:cancel`, { headers });
  expect([answer.status, answer.headers["www-authenticate"]]).toEqual([status, challenge]);
  const { error } = jsonOf<ErrorJson>(answer);
  expect(error).toMatchObject({
    code: status,
    status: status === 401 ? "UNAUTHENTICATED" : "PERMISSION_DENIED",
  });
  expect(error.details?.[0]).toMatchObject({ "@type": "type.googleapis.com/google.rpc.ErrorInfo", reason });
  expect(emulator.operation(OPERATION)?.["metadata"]).not.toHaveProperty("cancelRequested");
});

test("names the permission and the dataset, and does not tell whether the operation exists", async () => {
  const { emulator } = emulatorWith({ auth: { tokens: { t: { permissions: [] } } } });
  const headers = { authorization: "Bearer t" };
  const there = await send(emulator, "GET", `/v1/${OPERATION}`, { headers });
  const notThere = await send(emulator, "GET", `/v1/${OPERATION}8`, { headers });
  expect(textOf(there)).toBe(textOf(notThere));
  expect(jsonOf<ErrorJson>(there).error.details?.[0]).toEqual({
    "@type": "type.googleapis.com/google.rpc.ErrorInfo",
    reason: "IAM_PERMISSION_DENIED",
    domain: "iam.googleapis.com",
    metadata: { permission: "healthcare.operations.get", resource: DATASET },
  });
});

test("lets a good token pass, in the header in any case or in the query, and any token where none is listed", async () => {
  const { emulator } = emulatorWith({ auth: { tokens } });
  const get = (query: string, headers: Record<string, string>) =>
    send(emulator, "GET", `/v1/${OPERATION}${query}`, { headers }).then(({ status }) => status);
  expect(await get("", { authorization: "Bearer good" })).toBe(200);
  expect(await get("", { authorization: "bearer  good" })).toBe(200);
  expect(await get("?access_token=good", {})).toBe(200);
  expect(await get("?key=AIza", {})).toBe(401);
  emulator.configure({ auth: {} });
  expect(await get("", { authorization: "Bearer whatever" })).toBe(200);
  expect(await get("", {})).toBe(401);
  emulator.configure({ auth: null });
  expect(await get("", {})).toBe(200);
});

test.each(REFUSAL_REASONS)("can be told to refuse a request for the reason %s", async (reason) => {
  const { emulator } = emulatorWith({});
  emulator.addFault({ answer: { reason }, times: 1 });
  const answer = await send(emulator, "GET", `/v1/${OPERATION}`);
  const { error } = jsonOf<ErrorJson>(answer);
  expect(error.code).toBe(answer.status);
  expect({ 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 429: "RESOURCE_EXHAUSTED" }[answer.status]).toBe(
    error.status,
  );
  expect(error.details?.[0]).toMatchObject({ reason });
  expect((await send(emulator, "GET", `/v1/${OPERATION}`)).status).toBe(200);
});

test("answers 429 with RATE_LIMIT_EXCEEDED and Retry-After beyond the rate, each location for itself", async () => {
  const { clock, emulator } = emulatorWith({ rateLimit: { perSecond: 5 } });
  emulator.createOperation({ dataset: DATASET.replace("locations/l", "locations/m"), id: "17" });
  const get = (name = OPERATION) => send(emulator, "GET", `/v1/${name}`);
  for (let count = 0; count < 5; count++) expect((await get()).status).toBe(200);
  const refused = await get();
  expect([refused.status, refused.headers["retry-after"]]).toEqual([429, "1"]);
  expect(jsonOf<ErrorJson>(refused).error).toMatchObject({
    status: "RESOURCE_EXHAUSTED",
    details: [
      {
        reason: "RATE_LIMIT_EXCEEDED",
        metadata: { consumer: "projects/p", service: "healthcare.googleapis.com", quota_location: "l" },
      },
      { "@type": "type.googleapis.com/google.rpc.Help" },
    ],
  });
  expect((await get(OPERATION.replace("locations/l", "locations/m"))).status).toBe(200);
  let passed = 0;
  for (let step = 0; step < 600; step++) {
    clock.advance(100);
    if ((await get()).status === 200) passed++;
  }
  expect(passed).toBe(300);
});

test("limits the methods that it is told to, and says what it is told to say about when to come back", async () => {
  const { emulator } = emulatorWith({
    rateLimit: { perSecond: 0.1, methods: ["get"], retryAfterSeconds: 30 },
  });
  const get = () => send(emulator, "GET", `/v1/${OPERATION}`);
  expect((await get()).status).toBe(200);
  expect((await get()).headers["retry-after"]).toBe("30");
  expect((await send(emulator, "GET", `/v1/${DATASET}/operations`)).status).toBe(200);
  emulator.configure({ rateLimit: { perSecond: 0.1, retryAfterSeconds: null } });
  await get();
  const refused = await get();
  expect([refused.status, refused.headers]).toEqual([
    429,
    expect.not.objectContaining({ "retry-after": expect.anything() }),
  ]);
});
