import { Code, type ConnectError } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { ErrorInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import { FastClock } from "../support/fast-clock.ts";
import type { Reply } from "../support/fault-server.ts";
import { OPERATION, startFaultUpstream } from "../support/fault-upstream.ts";
import { OpenCall } from "../support/open-call.ts";

/** What the upstream truly knows of the operation, and how it answers. */
class Truth {
  done = false;
  code: number | undefined;
  cancelRequested = false;
  endTime = new Date().toISOString();
  /** What becomes of each POST, in order; the last one stays. */
  posts: ((reply: Reply, truth: Truth) => void)[] = [];
  /** What becomes of each read; the default tells the truth. */
  reads: ((reply: Reply, truth: Truth) => void)[] = [];

  end(code?: number): void {
    this.done = true;
    this.code = code;
    this.endTime = new Date().toISOString();
  }

  /** What the API does with a cancel that reaches it. */
  apply(): void {
    if (!this.done) this.cancelRequested = true;
  }

  answer(reply: Reply): void {
    if (this.done) alreadyCompleted(reply);
    else {
      this.apply();
      reply.json(200, {});
    }
  }

  read(reply: Reply): void {
    reply.json(
      200,
      {
        name: OPERATION,
        metadata: { cancelRequested: this.cancelRequested, ...(this.done && { endTime: this.endTime }) },
        done: this.done,
        ...(this.code !== undefined && { error: { code: this.code, message: "m" } }),
      },
      { date: new Date().toUTCString() },
    );
  }
}

/** Healthcare's answer to the cancel of an operation that is over. */
function alreadyCompleted(reply: Reply): void {
  reply.json(400, {
    error: {
      code: 400,
      status: "FAILED_PRECONDITION",
      message: "Precondition check failed.",
      details: [
        { "@type": "type.googleapis.com/google.rpc.DebugInfo", detail: "operation has already completed" },
      ],
    },
  });
}

const unavailable = (reply: Reply) =>
  reply.json(503, { error: { code: 503, status: "UNAVAILABLE", message: "later" } });
const answer = (reply: Reply, truth: Truth) => truth.answer(reply);
const reset = (reply: Reply) => reply.reset();

/** Cancels, and returns the error (or `undefined`) with the requests that were made. */
async function cancel(truth: Truth, options: { timeoutMs?: number; retry?: boolean } = {}) {
  const clock = new FastClock(20);
  let posts = 0;
  let reads = 0;
  await using at = await startFaultUpstream(
    (request, reply) => {
      if (request.method === "POST")
        (truth.posts[Math.min(posts++, truth.posts.length - 1)] ?? answer)(reply, truth);
      else (truth.reads[Math.min(reads++, truth.reads.length - 1)] ?? ((r) => truth.read(r)))(reply, truth);
    },
    {},
    clock,
  );
  const call = new OpenCall({ clock, ...options });
  const error: ConnectError | undefined = await at.upstream.api.cancel(OPERATION, call).then(
    () => undefined,
    (failure) => failure,
  );
  return {
    error,
    lines: at
      .lines()
      .map((line) => line.split(" ")[0])
      .join(" "),
    call,
  };
}

test("is one POST without a body when the upstream accepts", async () => {
  const { error, lines, call } = await cancel(new Truth());
  expect([error, lines]).toEqual([undefined, "POST"]);
  expect(call.answers).toEqual([{ httpStatus: 200, requestId: undefined, attempts: 1 }]);
});

test.each([
  ["{}", "{}"],
  ["{} and a line end", "{}\n"],
  ["an object with something in it", '{"metadata": 1}'],
  ["nothing", ""],
])("takes %s for success", async (_, body) => {
  const truth = new Truth();
  truth.posts = [(reply) => reply.send(200, body)];
  expect((await cancel(truth)).error).toBeUndefined();
});

test("takes 204 for success", async () => {
  const truth = new Truth();
  truth.posts = [(reply) => reply.raw("HTTP/1.1 204 No Content\r\n\r\n")];
  expect((await cancel(truth)).error).toBeUndefined();
});

test.each(["<html>welcome</html>", "[]", '{"a', "null"])(
  "never reports success for a 200 with %s, nor sends again",
  async (body) => {
    const truth = new Truth();
    truth.posts = [(reply) => reply.send(200, body)];
    const { error, lines } = await cancel(truth);
    expect([error?.code, lines]).toEqual([Code.Internal, "POST"]);
    expect(error?.findDetails(ErrorInfoSchema)[0]?.reason).toBe("UPSTREAM_MALFORMED");
  },
);

test("passes on that an operation was over, without a second request", async () => {
  const truth = new Truth();
  truth.end();
  const { error, lines } = await cancel(truth);
  expect([error?.code, lines]).toEqual([Code.FailedPrecondition, "POST"]);
});

test("sends again what never reached the upstream's API, once a read shows that it did not", async () => {
  const truth = new Truth();
  truth.posts = [unavailable, answer];
  const { error, lines } = await cancel(truth);
  expect([error, lines, truth.cancelRequested]).toEqual([undefined, "POST GET POST", true]);
});

test.each([
  ["the connection was reset", reset],
  ["the front end said 502", (reply: Reply) => reply.send(502, "<html>", { "content-type": "text/html" })],
  ["the API said 503", unavailable],
])("does not send again a cancel that was carried out although %s", async (_, lose) => {
  const truth = new Truth();
  truth.posts = [
    (reply) => {
      truth.apply();
      lose(reply);
    },
  ];
  const { error, lines } = await cancel(truth);
  expect([error, lines]).toEqual([undefined, "POST GET"]);
});

test("reports success when a read shows the operation cancelled after the answer was lost", async () => {
  const truth = new Truth();
  truth.posts = [
    (reply) => {
      truth.end(1);
      reply.reset();
    },
  ];
  const { error, lines } = await cancel(truth);
  expect([error, lines]).toEqual([undefined, "POST GET"]);
});

test("resolves the echo 'already completed' of a retried cancel by a read, whatever code it has", async () => {
  for (const status of ["FAILED_PRECONDITION", "INVALID_ARGUMENT", "ABORTED"]) {
    const truth = new Truth();
    truth.posts = [
      unavailable,
      (reply) => {
        // The first POST does its work late, between the read and the second POST.
        truth.end(1);
        reply.json(400, { error: { code: 400, status, message: "m" } });
      },
    ];
    const { error, lines } = await cancel(truth);
    expect([error, lines]).toEqual([undefined, "POST GET POST GET"]);
  }
});

test("does not report a retried cancel as failed when the operation completed on its own meanwhile", async () => {
  const truth = new Truth();
  truth.posts = [
    unavailable,
    (reply) => {
      truth.end();
      alreadyCompleted(reply);
    },
  ];
  expect((await cancel(truth)).error).toBeUndefined();
});

test("keeps a refusal that a read does not bear out", async () => {
  const truth = new Truth();
  truth.posts = [
    unavailable,
    (reply) =>
      reply.json(400, { error: { code: 400, status: "INVALID_ARGUMENT", message: "not like this" } }),
  ];
  const { error, lines } = await cancel(truth);
  expect([error?.rawMessage, lines]).toEqual(["not like this", "POST GET POST GET"]);
});

test("passes on the upstream's own refusal when the operation was over before the first, lost POST", async () => {
  const truth = new Truth();
  truth.end();
  truth.endTime = new Date(Date.now() - 3_600_000).toISOString();
  truth.posts = [unavailable, answer];
  const { error, lines } = await cancel(truth);
  expect([error?.code, lines]).toEqual([Code.FailedPrecondition, "POST GET POST GET"]);
});

test("never sends again when it cannot read how the operation stands", async () => {
  const forbidden = (reply: Reply) =>
    reply.json(403, { error: { code: 403, status: "PERMISSION_DENIED", message: "no get for you" } });
  const ofAnother = (reply: Reply) =>
    reply.json(200, { name: `${OPERATION}0`, done: true, error: { code: 1 } });
  for (const read of [unavailable, forbidden, reset, ofAnother]) {
    const truth = new Truth();
    truth.posts = [reset];
    truth.reads = [read];
    const { error, lines } = await cancel(truth);
    expect([error?.code, lines]).toEqual([Code.Unavailable, "POST GET"]);
  }
});

test("says NOT_FOUND when the read after a lost answer finds no such operation", async () => {
  const truth = new Truth();
  truth.posts = [reset];
  truth.reads = [(reply) => reply.json(404, { error: { code: 404, status: "NOT_FOUND", message: "gone" } })];
  expect((await cancel(truth)).error?.code).toBe(Code.NotFound);
});

test("makes three POSTs at most, each after a read of its own", async () => {
  const truth = new Truth();
  truth.posts = [reset];
  const { error, lines } = await cancel(truth);
  expect([error?.code, lines]).toEqual([Code.Unavailable, "POST GET POST GET POST"]);
});

test("makes exactly one POST for a caller that resolves doubts itself", async () => {
  for (const lose of [reset, unavailable, (reply: Reply) => reply.end()]) {
    const truth = new Truth();
    truth.posts = [lose];
    const { error, lines } = await cancel(truth, { retry: false });
    expect([error?.code, lines]).toEqual([Code.Unavailable, "POST"]);
  }
});

test("reports nothing as success when time is up before the doubt is resolved", async () => {
  const truth = new Truth();
  truth.posts = [
    (reply) => {
      truth.apply();
      reply.reset();
    },
  ];
  truth.reads = [(reply) => reply.ignore()];
  const { error } = await cancel(truth, { timeoutMs: 3_000 });
  expect(error?.code).toBe(Code.DeadlineExceeded);
});

test("finishes a POST whose caller has left, and reports what the upstream said", async () => {
  const truth = new Truth();
  await using at = await startFaultUpstream((_, reply) =>
    setTimeout(() => {
      truth.answer(reply);
    }, 100),
  );
  const call = new OpenCall();
  const ended = at.upstream.api.cancel(OPERATION, call).catch((error) => error.code);
  while (at.server.requests.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  call.end();
  expect([await ended, call.answers]).toEqual([Code.Canceled, []]);
  while (call.answers.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  expect(call.answers).toEqual([{ httpStatus: 200, requestId: undefined, attempts: 1 }]);
  expect(truth.cancelRequested).toBe(true);
});

test("sends no POST for a caller who left before", async () => {
  await using at = await startFaultUpstream((_, reply) => reply.json(200, {}));
  const call = new OpenCall();
  call.end();
  await expect(at.upstream.api.cancel(OPERATION, call)).rejects.toMatchObject({ code: Code.Canceled });
  expect(at.server.connections).toBe(0);
});
