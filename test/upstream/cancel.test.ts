import { Code, type ConnectError } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { ErrorInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import { cancelled } from "../support/cancelled.ts";
import { FastClock } from "../support/fast-clock.ts";
import type { Reply } from "../support/fault-server.ts";
import { OPERATION, startFaultUpstream } from "../support/fault-upstream.ts";
import { OpenCall } from "../support/open-call.ts";

/** What the upstream truly knows of the operation, and how it answers. */
class Truth {
  done = false;
  cancelRequested = false;
  /** What becomes of each POST, in order; the last one stays. */
  posts: ((reply: Reply, truth: Truth) => void)[] = [];

  answer(reply: Reply): void {
    if (this.done) alreadyCompleted(reply);
    else {
      this.cancelRequested = true;
      reply.json(200, {});
    }
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
async function cancel(truth: Truth, options: { retry?: boolean } = {}) {
  const clock = new FastClock(20);
  let posts = 0;
  await using at = await startFaultUpstream(
    (_, reply) => (truth.posts[Math.min(posts++, truth.posts.length - 1)] ?? answer)(reply, truth),
    {},
    clock,
  );
  const call = new OpenCall({ clock, ...options });
  const error: ConnectError | undefined = await cancelled(at.upstream.api, OPERATION, call).then(
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
  truth.done = true;
  const { error, lines } = await cancel(truth);
  expect([error?.code, lines]).toEqual([Code.FailedPrecondition, "POST"]);
});

test("makes exactly one POST, and leaves what became of a lost one to who asked for it", async () => {
  for (const lose of [reset, unavailable, (reply: Reply) => reply.end()])
    for (const retry of [true, false]) {
      const truth = new Truth();
      truth.posts = [lose];
      const { error, lines } = await cancel(truth, { retry });
      expect([error?.code, lines]).toEqual([Code.Unavailable, "POST"]);
    }
});

test("finishes a POST whose caller has left, and reports what the upstream said", async () => {
  const truth = new Truth();
  await using at = await startFaultUpstream((_, reply) =>
    setTimeout(() => {
      truth.answer(reply);
    }, 100),
  );
  const call = new OpenCall();
  const ended = cancelled(at.upstream.api, OPERATION, call).catch((error) => error.code);
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
  await expect(cancelled(at.upstream.api, OPERATION, call)).rejects.toMatchObject({ code: Code.Canceled });
  expect(at.server.connections).toBe(0);
});
