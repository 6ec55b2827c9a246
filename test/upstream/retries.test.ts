import { Code, type ConnectError } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { ErrorInfoSchema, RetryInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import { DEFAULT_RETRY_BUDGET } from "../../src/upstream/retry-budget.ts";
import { FastClock } from "../support/fast-clock.ts";
import { fastest } from "../support/fastest.ts";
import { FaultServer } from "../support/fault-server.ts";
import { DATASET, OPERATION, open, startFaultUpstream } from "../support/fault-upstream.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { OpenCall } from "../support/open-call.ts";

const FACTOR = 20;
const RUNNING = { name: OPERATION };
const UNAVAILABLE = { error: { code: 503, status: "UNAVAILABLE", message: "try later" } };

/** The error of a call that must fail. */
function errorOf(call: Promise<unknown>): Promise<ConnectError> {
  return call.then(
    () => expect.unreachable("the call succeeded"),
    (error) => error,
  );
}

/** Waits between the requests that a server saw, milliseconds on the fast clock. */
function waits(server: FaultServer): number[] {
  return server.requests.slice(1).map(({ at }, n) => (at - server.requests[n]!.at) * FACTOR);
}

const retryMs = (error: ConnectError) => {
  const delay = error.findDetails(RetryInfoSchema)[0]?.retryDelay;
  return delay && Number(delay.seconds) * 1000 + delay.nanos / 1e6;
};

test("retries UNAVAILABLE after one second and after two more, and answers what came then", async () => {
  const clock = new FastClock(FACTOR);
  await using at = await startFaultUpstream(
    (_, reply, n) => (n < 3 ? reply.json(503, UNAVAILABLE) : reply.json(200, RUNNING)),
    {},
    clock,
  );
  const call = new OpenCall({ clock });
  expect((await at.upstream.api.get(OPERATION, call)).toMessage().name).toBe(OPERATION);
  const [first, second] = waits(at.server);
  // Timers of Node fire up to a millisecond early, which is 20 here.
  expect(first).toBeGreaterThanOrEqual(1000 - FACTOR);
  expect(second).toBeGreaterThanOrEqual(2000 - FACTOR);
  expect(call.answers).toEqual([{ httpStatus: 200, requestId: undefined, attempts: 3 }]);
  expect(call.listeners.size).toBe(0);
});

test("gives up after two retries with the upstream's own error and the wait to keep", async () => {
  const clock = new FastClock(FACTOR);
  await using at = await startFaultUpstream((_, reply) => reply.json(503, UNAVAILABLE), {}, clock);
  const call = new OpenCall({ clock });
  const error = await errorOf(at.upstream.api.get(OPERATION, call));
  expect([error.code, error.rawMessage]).toEqual([Code.Unavailable, "try later"]);
  expect(retryMs(error)).toBe(4000);
  expect(at.server.requests.length).toBe(3);
  expect(call.answers).toEqual([{ httpStatus: 503, requestId: undefined, attempts: 3 }]);
});

test("waits as long as Retry-After says", async () => {
  const clock = new FastClock(FACTOR);
  await using at = await startFaultUpstream(
    (_, reply, n) =>
      n === 1 ? reply.json(503, UNAVAILABLE, { "retry-after": "3" }) : reply.json(200, RUNNING),
    {},
    clock,
  );
  await at.upstream.api.get(OPERATION, new OpenCall({ clock }));
  expect(waits(at.server)[0]).toBeGreaterThanOrEqual(3000 - FACTOR);
});

test.each([
  [400, "INVALID_ARGUMENT", Code.InvalidArgument],
  [401, "UNAUTHENTICATED", Code.Unauthenticated],
  [403, "PERMISSION_DENIED", Code.PermissionDenied],
  [404, "NOT_FOUND", Code.NotFound],
  [409, "ABORTED", Code.Aborted],
  [429, "RESOURCE_EXHAUSTED", Code.ResourceExhausted],
  [500, "INTERNAL", Code.Internal],
  [500, "UNKNOWN", Code.Unknown],
  [504, "DEADLINE_EXCEEDED", Code.DeadlineExceeded],
])("does not retry HTTP %i %s", async (http, status, code) => {
  await using at = await startFaultUpstream((_, reply) =>
    reply.json(http, { error: { code: http, status, message: "m" } }, { "retry-after": "1" }),
  );
  const error = await errorOf(at.upstream.api.get(OPERATION, new OpenCall()));
  expect([error.code, at.server.requests.length]).toEqual([code, 1]);
});

test("retries a read whose connection was reset, and one that found no connection", async () => {
  const clock = new FastClock(FACTOR);
  await using at = await startFaultUpstream(
    (_, reply, n) => {
      if (n === 3) return reply.json(200, RUNNING);
      if (n === 2) reply.raw('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"name": "proj');
      setTimeout(() => reply.reset(), 5);
    },
    {},
    clock,
  );
  await at.upstream.api.get(OPERATION, new OpenCall({ clock }));
  expect(at.server.requests.length).toBe(3);

  const { origin } = at.server;
  await at.server.close();
  const upstream = open({ endpoint: origin }, clock);
  const started = clock.monotonic();
  const error = await errorOf(upstream.api.get(OPERATION, new OpenCall({ clock })));
  expect(error.code).toBe(Code.Unavailable);
  expect(error.findDetails(ErrorInfoSchema)[0]).toMatchObject({
    reason: "UPSTREAM_UNREACHABLE",
    metadata: { attempts: "3" },
  });
  expect(clock.monotonic() - started).toBeGreaterThanOrEqual(3000 - 2 * FACTOR);
  await upstream.close();
});

test("tells a caller with a short deadline at once when to come back", async () => {
  // Time stands still: whatever waits for it never comes.
  const clock = new ManualClock();
  await using at = await startFaultUpstream((_, reply) => reply.reset(), {}, clock);
  const error = await errorOf(at.upstream.api.get(OPERATION, new OpenCall({ timeoutMs: 900, clock })));
  expect([error.code, retryMs(error), at.server.requests.length]).toEqual([Code.Unavailable, 1000, 1]);
});

test("makes one attempt for a call that wants no retries", async () => {
  await using at = await startFaultUpstream((_, reply) => reply.json(503, UNAVAILABLE));
  const error = await errorOf(at.upstream.api.get(OPERATION, new OpenCall({ retry: false })));
  expect([error.code, at.server.requests.length]).toEqual([Code.Unavailable, 1]);
});

test("stops waiting when the caller leaves between two attempts", async () => {
  const clock = new ManualClock();
  await using at = await startFaultUpstream((_, reply) => reply.json(503, UNAVAILABLE), {}, clock);
  const call = new OpenCall();
  const error = errorOf(at.upstream.api.get(OPERATION, call));
  while (clock.pending === 0 || at.upstream.load() > 0)
    await new Promise((resolve) => setTimeout(resolve, 5));
  call.end();
  expect(await error).toMatchObject({ code: Code.Canceled });
  await clock.advance(10_000);
  expect(at.server.requests.length).toBe(1);
});

test("keeps retries below a tenth of the traffic when everything fails", async () => {
  // Slower than elsewhere, so that mostly all is over before the budget's window is.
  const clock = new FastClock(FACTOR / 5);
  const began = clock.monotonic();
  await using at = await startFaultUpstream((_, reply) => reply.json(503, UNAVAILABLE), {}, clock);
  const calls = 200;
  const errors = await Promise.all(
    Array.from({ length: calls }, () => errorOf(at.upstream.api.get(OPERATION, new OpenCall({ clock })))),
  );
  expect(new Set(errors.map(({ code }) => code))).toEqual(new Set([Code.Unavailable]));
  expect(at.server.requests.length).toBeGreaterThan(calls);
  // On a busy machine it is not; each further window holds no requests, and has the few retries of a quiet gateway.
  const { floor, ratio, windowSeconds } = DEFAULT_RETRY_BUDGET;
  const windows = Math.floor((clock.monotonic() - began) / (1_000 * windowSeconds));
  expect(at.server.requests.length).toBeLessThanOrEqual(calls * (1 + ratio) + windows * floor);
});

test("answers DEADLINE_EXCEEDED, never CANCELLED, when the deadline passes with the upstream silent", async () => {
  await using at = await startFaultUpstream((_, reply) => reply.ignore());
  const took = await fastest(250, async () => {
    const error = await errorOf(at.upstream.api.get(OPERATION, new OpenCall({ timeoutMs: 200 })));
    expect(error.code).toBe(Code.DeadlineExceeded);
    return undefined;
  });
  expect(took).toBeLessThan(250);
});

test("answers DEADLINE_EXCEEDED when the upstream outlasts the gateway's own limit", async () => {
  await using at = await startFaultUpstream((_, reply) => reply.ignore(), { requestTimeout: 300 });
  const error = await errorOf(at.upstream.api.get(OPERATION, new OpenCall()));
  expect(error.code).toBe(Code.DeadlineExceeded);
  expect(error.findDetails(ErrorInfoSchema)[0]?.reason).toBe("UPSTREAM_TIMEOUT");
});

test.each([
  ["an HTML page", "<html>hello</html>", "text/html"],
  ["nothing", "", "application/json"],
  ["half a JSON object", '{"name": "pro', "application/json"],
  ["JSON of another kind", "[1, 2]", "application/json"],
])("answers INTERNAL, once, to a 200 with %s", async (_, body, type) => {
  await using at = await startFaultUpstream((_request, reply) =>
    reply.send(200, body, { "content-type": type }),
  );
  const error = await errorOf(at.upstream.api.get(OPERATION, new OpenCall()));
  expect(error.code).toBe(Code.Internal);
  expect(error.findDetails(ErrorInfoSchema)[0]?.reason).toBe("UPSTREAM_MALFORMED");
  expect(error.rawMessage).not.toContain("hello");
  expect(at.server.requests.length).toBe(1);
});

test("answers INTERNAL to an answer shorter than it says, and does not use its connection again", async () => {
  await using at = await startFaultUpstream((_, reply, n) => {
    if (n > 1) return reply.json(200, RUNNING);
    reply.raw('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"name": "x"}');
    setTimeout(() => reply.end(), 5);
  });
  const error = await errorOf(at.upstream.api.get(OPERATION, new OpenCall()));
  expect([error.code, at.server.requests.length]).toEqual([Code.Internal, 1]);
  await at.upstream.api.get(OPERATION, new OpenCall());
  expect(at.server.connections).toBe(2);
});

test("refuses a hostile gigabyte, a stack of encodings, an endless head and a redirect, and sends the token nowhere else", async () => {
  await using elsewhere = await FaultServer.start((_, reply) => reply.json(200, RUNNING));
  await using at = await startFaultUpstream(
    (_, reply, n) => {
      if (n === 1) reply.send(200, "", { "content-length": String(2 ** 30) });
      if (n === 1) {
        const chunk = Buffer.alloc(1 << 20, "x");
        const pump = () => {
          if (!reply.socket.destroyed) reply.socket.write(chunk, pump);
        };
        pump();
      } else if (n === 2) reply.gzip(200, "{}", { "content-encoding": Array(1000).fill("gzip").join(", ") });
      else if (n === 3) reply.raw(`HTTP/1.1 200 OK\r\nx: ${"y".repeat(100_000)}\r\n\r\n`);
      else reply.send(302, "", { location: `${elsewhere.origin}/v1beta1/${OPERATION}` });
    },
    { credentials: "caller" },
  );
  const codes: (Code | number)[] = [];
  for (let n = 0; n < 4; n++) {
    const call = new OpenCall({ authorization: "Bearer canary" });
    codes.push((await errorOf(at.upstream.api.get(OPERATION, call))).code);
  }
  expect(codes).toEqual([Code.ResourceExhausted, Code.Internal, Code.Internal, Code.Unknown]);
  expect([at.server.requests.length, elsewhere.connections]).toEqual([4, 0]);
});

test("serves others beside two hundred answers that drip, without waiting for one of them", async () => {
  await using at = await startFaultUpstream(
    (request, reply) => {
      if (request.path.endsWith("/1")) {
        reply.raw("HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n");
        reply.drip("x".repeat(1000), 50);
      } else reply.json(200, { ...RUNNING, name: `${DATASET}/operations/2` });
    },
    { connections: 256 },
  );
  const calls = Array.from({ length: 200 }, () => new OpenCall());
  let over = 0;
  const slow = calls.map((call) =>
    errorOf(at.upstream.api.get(OPERATION, call)).finally(() => {
      over++;
    }),
  );
  for (let n = 0; n < 20; n++) await at.upstream.api.get(OPERATION.replace(/1$/, "2"), new OpenCall());
  expect(over).toBe(0);
  for (const call of calls) call.end();
  for (const error of await Promise.all(slow)) expect(error.code).toBe(Code.Canceled);
});
