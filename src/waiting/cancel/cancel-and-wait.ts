import { create } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import {
  type CancelAndWaitResponse,
  CancelAndWaitResponse_Outcome as Outcome,
  CancelAndWaitResponseSchema as Schema,
} from "../../../gen/lrogateway/v1/operation_watcher_pb.ts";
import { gatewayError } from "../../errors/reasons.ts";
import { errorOf } from "../../errors/thrown.ts";
import type { Encoded } from "../../lib/encoded.ts";
import type { Call } from "../../rpc/call.ts";
import { spliced } from "../deliver/spliced-message.ts";
import { untilAuthorized, Waiter } from "../deliver/wait.ts";
import { waitEnd } from "../deliver/wait-end.ts";
import { beginRead, readOnce, WaitEnds } from "../deliver/wait-for-operation.ts";
import type { WaitingEngine } from "../engine.ts";
import type { Observation } from "../facts/observation.ts";
import { Cancelling, outcomeOf, unresolved } from "./cancelling.ts";

/** A cancel that was not answered in time although its caller wants only one look is given up after so long. */
const ZERO_WAIT_MS = 30_000;

/** Whom a gateway that shuts down sends away finds another one after so long. */
const DRAIN_RETRY_MS = 1_000;

type Answer = CancelAndWaitResponse | Encoded<CancelAndWaitResponse>;

/**
 * CancelAndWait: cancels, and answers with what became of it, when that is certain or the time is up. `timeoutMs` as
 * in WaitOperation; 0: the cancel is sent, and one read decides.
 *
 * @throws ConnectError PERMISSION_DENIED without the right; the upstream's own status where it refuses the cancel of
 * an operation that runs on; UNAVAILABLE where nothing was certain in time, or the gateway shuts down before that;
 * RESOURCE_EXHAUSTED without room.
 */
export async function cancelAndWait(
  engine: WaitingEngine,
  name: string,
  timeoutMs: number | undefined,
  call: Call,
): Promise<Answer> {
  const { clock, config } = engine.options;
  const target = engine.target(name, call.header("authorization"));
  const bounds = { now: clock.monotonic(), deadline: call.deadline };
  const end =
    timeoutMs === 0
      ? waitEnd({ ...bounds, timeoutMs: undefined, maxWait: ZERO_WAIT_MS })
      : waitEnd({ ...bounds, timeoutMs, maxWait: config.maxWait });
  const waiting = new WaitEnds();
  const attendance = engine.enter(call, target, "cancel", waiting);
  let cancelling: Cancelling | undefined;
  try {
    await untilAuthorized(attendance.authorized, end, clock);
    if (call.ended) throw call.ended;
    cancelling = new Cancelling(engine.readTarget(target), {
      call: {
        authorization: target.authorization,
        requestId: call.requestId,
        trace: call.trace,
        onEnd: (listener) => call.onEnd(listener),
        offEnd: (listener) => call.offEnd(listener),
      },
      attempts: engine.cancels,
      setTimer: (timeUp) => clock.setTimer(end - clock.monotonic(), timeUp),
    });
    waiting.begin(cancelling);
    const result = await cancelling.result;
    const { attempt } = cancelling;
    switch (result?.kind) {
      case undefined:
        throw unresolved(attempt.resolution.lastError);
      case "refused":
        throw result.error;
      case "not-found":
        return create(Schema, { outcome: Outcome.NOT_FOUND });
      case "done":
        return answer(Outcome[outcomeOf(result.seen, result.before)], result.seen);
      case "requested":
        break;
    }
    const last =
      timeoutMs === 0
        ? readOnce(engine, name, call)
        : follow(engine, name, end, call, waiting, attempt.requestedAt);
    const seen = await last;
    if (!seen.done && timeoutMs !== 0 && waiting.cutShort)
      throw gatewayError(
        "GATEWAY_DRAINING",
        "the cancel was taken, and the gateway shuts down before the operation is done; call again",
        { retryDelayMs: DRAIN_RETRY_MS },
      );
    if (!seen.done) return answer(Outcome.STILL_RUNNING, seen);
    return answer(Outcome[outcomeOf(seen, attempt.resolution.doneBefore(seen))], seen);
  } catch (cause) {
    const error = errorOf(cause);
    if (error.code === Code.NotFound) return create(Schema, { outcome: Outcome.NOT_FOUND });
    throw error;
  } finally {
    cancelling?.leave();
    attendance.leave();
  }
}

/** Follows an operation after its cancel was taken: only what was read since then counts. */
async function follow(
  engine: WaitingEngine,
  name: string,
  end: number,
  call: Call,
  waiting: WaitEnds,
  requestedAt: number,
): Promise<Observation> {
  const { clock } = engine.options;
  const target = engine.target(name, call.header("authorization"));
  const waiter = new Waiter({ target, end, notBefore: requestedAt }, call, engine.tracker, clock);
  waiting.begin(waiter);
  engine.tracker.cancelRequested(engine.readTarget(target).key);
  // The first look is a call of its own, which goes before polls; what it finds reaches the waiter with all others.
  const look = beginRead(engine, name, call);
  look.result.catch(() => {});
  const result = await waiter.result.finally(() => look.end(gatewayError("CALLER_GONE", "the wait is over")));
  if (!result.seen) throw unresolved(result.kind === "time-up" ? result.failure : undefined);
  return result.seen;
}

function answer(outcome: Outcome, seen: Observation): Encoded<CancelAndWaitResponse> {
  return spliced({
    schema: Schema,
    head: create(Schema, { outcome }),
    operation: seen.operation,
    tail: create(Schema),
    whole: () => create(Schema, { outcome, operation: seen.operation.toMessage() }),
  });
}
