import { expect, test } from "vitest";
import { createEmulator } from "../../src/emulator/emulator.ts";
import { readFault, wildcard } from "../../src/emulator/faults.ts";
import { seededRandom } from "../../src/emulator/random.ts";
import { CODE_NAMES } from "../../src/lib/code-names.ts";
import { DATASET, type ErrorJson, jsonOf, type OperationJson, send, textOf } from "./harness.ts";
import { manualClock } from "./manual-clock.ts";

const OPERATION = `${DATASET}/operations/17`;

function setUp() {
  const clock = manualClock();
  const emulator = createEmulator({ clock });
  emulator.createOperation({ dataset: DATASET, id: "17", durationMs: 600_000 });
  const get = () => send(emulator, "GET", `/v1/${OPERATION}`);
  const cancel = () => send(emulator, "POST", `/v1/${OPERATION}:cancel`);
  const isCancelled = () => JSON.stringify(emulator.operation(OPERATION)).includes('"cancelRequested":true');
  return { clock, emulator, get, cancel, isCancelled };
}

const info = { "@type": "type.googleapis.com/google.rpc.ErrorInfo", reason: "R", domain: "d" };

test.each([
  ["error", { error: { code: 409, message: "m", status: "ABORTED", details: [info] } }],
  ["array", [{ error: { code: 409, message: "m", status: "ABORTED", details: [info] } }]],
  ["status", { code: 10, message: "m", details: [info] }],
  [
    "legacy",
    { error: { code: 409, message: "m", errors: [{ message: "m", domain: "global", reason: "conflict" }] } },
  ],
  ["oauth", { error: "invalid_grant", error_description: "m" }],
] as const)("answers in the shape %s", async (shape, expected) => {
  const { emulator, get } = setUp();
  emulator.addFault({ answer: { status: 409, shape, message: "m", details: [info] } });
  const answer = await get();
  expect([answer.status, jsonOf(answer)]).toEqual([409, expected]);
  expect(answer.headers["content-type"]).toBe("application/json; charset=UTF-8");
});

test("answers HTML, text, nothing and anything", async () => {
  const { emulator, get } = setUp();
  const answers = [
    { status: 502, shape: "html" },
    { status: 500, shape: "text", message: "boom" },
    { status: 503, shape: "empty" },
    { status: 200, body: { name: "x" } },
    { status: 200, body: ")]}'\n{}", contentType: "application/json" },
    { status: 302, shape: "empty", headers: { location: "http://elsewhere.example/" } },
    { status: 503, retryAfterSeconds: 7 },
  ] as const;
  for (const answer of answers) emulator.addFault({ times: 1, answer });
  const [html, text, empty, json, raw, redirect, retry] = [
    await get(),
    await get(),
    await get(),
    await get(),
    await get(),
    await get(),
    await get(),
  ];
  expect([html.status, textOf(html)]).toEqual([502, expect.stringContaining("try again in 30 seconds")]);
  expect([text.headers["content-type"], textOf(text)]).toEqual(["text/plain; charset=utf-8", "boom\n"]);
  expect([empty.status, textOf(empty), empty.headers["content-type"]]).toEqual([503, "", undefined]);
  expect(jsonOf(json)).toEqual({ name: "x" });
  expect([raw.headers["content-type"], textOf(raw)]).toEqual(["application/json", ")]}'\n{}"]);
  expect([redirect.status, redirect.headers["location"]]).toEqual([302, "http://elsewhere.example/"]);
  expect([retry.status, retry.headers["retry-after"]]).toEqual([503, "7"]);
  expect((await get()).status).toBe(200);
});

test.each(CODE_NAMES.slice(1))("knows the HTTP status of %s", async (code) => {
  const { emulator, get } = setUp();
  emulator.addFault({ answer: { code } });
  const answer = await get();
  const { error } = jsonOf<ErrorJson>(answer);
  expect([error.status, error.code, answer.status >= 400]).toEqual([code, answer.status, true]);
});

test("hits what it matches, after so many, so often, so long", async () => {
  const { clock, emulator, get } = setUp();
  const statuses = async (count: number) => {
    const found: number[] = [];
    for (let index = 0; index < count; index++) found.push((await get()).status);
    return found;
  };
  emulator.addFault({
    match: { method: "get", name: `${DATASET}/operations/1*` },
    skip: 1,
    times: 2,
    answer: { status: 500 },
  });
  expect(await statuses(5)).toEqual([200, 500, 500, 200, 200]);
  emulator.addFault({ match: { method: "cancel" }, answer: { status: 500 } });
  emulator.addFault({ match: { name: "*/operations/18" }, answer: { status: 500 } });
  emulator.addFault({ match: { verb: "POST" }, answer: { status: 500 } });
  emulator.addFault({ match: { path: "/v1beta1/*" }, answer: { status: 500 } });
  expect(await statuses(1)).toEqual([200]);
  const id = emulator.addFault({ forMs: 60_000, answer: { status: 503 } });
  expect(await statuses(1)).toEqual([503]);
  clock.advance(59_999);
  expect(await statuses(1)).toEqual([503]);
  clock.advance(1);
  expect(await statuses(1)).toEqual([200]);
  expect(emulator.faults.list().find((fault) => fault.id === id)?.hit).toBe(2);
});

test("hits a share of the requests, the same ones from the same seed", async () => {
  const run = async () => {
    const emulator = createEmulator({ clock: manualClock(), random: seededRandom(7) });
    emulator.createDataset(DATASET);
    emulator.addFault({ probability: 0.25, answer: { status: 503 } });
    let hits = "";
    for (let index = 0; index < 400; index++) {
      hits += (await send(emulator, "GET", `/v1/${DATASET}/operations`)).status === 503 ? "x" : ".";
    }
    return hits;
  };
  const hits = await run();
  expect(hits.replaceAll(".", "").length).toBeGreaterThan(60);
  expect(hits.replaceAll(".", "").length).toBeLessThan(140);
  expect(await run()).toBe(hits);
});

test("an injected answer keeps the request from taking effect, unless it is told to apply it", async () => {
  const { emulator, cancel, isCancelled } = setUp();
  emulator.addFault({ times: 1, answer: { status: 500 } });
  expect([(await cancel()).status, isCancelled()]).toEqual([500, false]);
  emulator.addFault({ times: 1, apply: true, answer: { status: 500 } });
  expect([(await cancel()).status, isCancelled()]).toEqual([500, true]);
});

test("a request whose answer is lost takes effect, a lost request does not", async () => {
  const { emulator, cancel, isCancelled } = setUp();
  emulator.addFault({ times: 1, apply: false, delivery: { reset: "before-headers" } });
  expect([(await cancel()).delivery, isCancelled()]).toEqual([{ reset: "before-headers" }, false]);
  emulator.addFault({ times: 1, delivery: { reset: "before-headers" } });
  await cancel();
  expect([isCancelled(), emulator.requests.counts().byStatus]).toEqual([true, { none: 2 }]);
});

test("delays before and after the effect, on its own clock", async () => {
  const { clock, emulator, cancel, isCancelled } = setUp();
  emulator.addFault({ times: 1, delayMs: 1_000, answerDelayMs: 500 });
  let status = 0;
  const answered = cancel().then((answer) => {
    status = answer.status;
  });
  await Promise.resolve();
  clock.advance(999);
  expect(isCancelled()).toBe(false);
  clock.advance(1);
  await new Promise(setImmediate);
  expect([isCancelled(), status]).toEqual([true, 0]);
  clock.advance(500);
  await answered;
  expect([status, emulator.requests.entries()[0]?.answeredAfterMs]).toEqual([200, 1_500]);
});

test("shows a state of some time ago on request", async () => {
  const { clock, emulator, get } = setUp();
  clock.advance(600_000);
  emulator.addFault({ times: 1, staleMs: 1 });
  expect(jsonOf<OperationJson>(await get()).done).toBeUndefined();
  expect(jsonOf<OperationJson>(await get()).done).toBe(true);
});

test("prints JSON in one line, with numbers for errors of the older format, or not at all, as the query says", async () => {
  const { emulator, get } = setUp();
  expect(textOf(await get())).toMatch(/^\{\n {2}"name"/);
  for (const query of ["?prettyPrint=false", "?$prettyPrint=0&$alt=json;enum-encoding=int"]) {
    expect(textOf(await send(emulator, "GET", `/v1/${OPERATION}${query}`))).toMatch(/^\{"name".*\}$/);
  }
  const old = await send(emulator, "GET", `/v1/${OPERATION}8?$.xgafv=1`);
  expect(jsonOf<ErrorJson>(old).error).toMatchObject({
    code: 404,
    errors: [{ domain: "global", reason: "notFound" }],
  });
  const proto = await send(emulator, "GET", `/v1/${OPERATION}?alt=proto`);
  expect([proto.status, jsonOf<ErrorJson>(proto).error.details?.[0]?.["reason"]]).toEqual([
    400,
    "SYSTEM_PARAMETER_UNSUPPORTED",
  ]);
});

test.each([400, 404, 405, 411, 413, 501, 502, 503, 504])("has a front-end page for %i", async (status) => {
  const { emulator, get } = setUp();
  emulator.addFault({ answer: { status, shape: "html" } });
  const answer = await get();
  expect([answer.status, textOf(answer)]).toEqual([
    status,
    expect.stringContaining(`<title>Error ${status}`),
  ]);
});

test("takes a fault in the form of the control endpoint, header names in any case", async () => {
  const { emulator, get } = setUp();
  const spec = { answer: { code: "ABORTED", headers: { "Retry-After": "3" } }, delivery: { reset: 5 } };
  emulator.addFault(readFault(spec));
  const answer = await get();
  expect([answer.status, answer.headers["retry-after"], answer.delivery.reset]).toEqual([409, "3", 5]);
});

test.each([
  ["a", "a", true],
  ["a", "ab", false],
  ["a*", "ab", true],
  ["*b", "ab", true],
  ["*b", "ba", false],
  ["a*c*e", "abcde", true],
  ["a*c*e", "aec", false],
  ["ab*ba", "aba", false],
  ["*", "", true],
])("the pattern %s and %j fit: %s", (pattern, text, fits) => {
  expect(wildcard(pattern, text)).toBe(fits);
});

test.each([
  [{ mach: {} }, "fault.mach is not known; allowed are answer, answerDelayMs, apply"],
  [{ match: { method: "poll" } }, "fault.match.method must be one of get, list, cancel"],
  [{ answer: { status: "500" } }, "fault.answer.status must be a number"],
  [{ answer: { status: 99 } }, "fault.answer.status must be a number of 100 or more"],
  [{ answer: { shape: "xml" } }, "fault.answer.shape must be one of error, array"],
  [{ answer: { code: "OK" } }, "fault.answer.code must be one of CANCELLED"],
  [{ answer: { details: [1] } }, "fault.answer.details must be a list of objects"],
  [{ delivery: { reset: "sometimes" } }, "fault.delivery.reset must be one of before-headers, after-headers"],
  [{ delivery: { drip: { every: 5 } } }, "fault.delivery.drip.every is not known"],
  [{ delivery: { gzip: 5_000 } }, "fault.delivery.gzip must be 1000 or less"],
  [{ apply: false }, "fault.apply: false needs an answer"],
  [{ answer: { status: 500.5 } }, "fault.answer.status must be a whole number from 200 to 999"],
  [{ answer: { headers: { a: 1 } } }, "fault.answer.headers.a must be a string"],
  [{ delivery: { gzip: 1, padTo: 1e9 } }, "fault.delivery.padTo must be 67108864 or less together with gzip"],
  [{ times: 0 }, "fault.times must be a number of 1 or more"],
  [[], "fault must be a JSON object"],
])("says what is wrong with the fault %j", (fault, message) => {
  expect(() => readFault(fault)).toThrow(message);
});
