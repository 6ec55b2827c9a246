import type { ConnectError } from "@connectrpc/connect";
import type { Operation } from "../../../gen/google/longrunning/operations_pb.ts";
import { errorOf } from "../../errors/thrown.ts";
import type { Encoded } from "../../lib/encoded.ts";
import type { Call } from "../../rpc/call.ts";
import type { UpstreamCall } from "../../upstream/operations-api.ts";
import type { Attending } from "../attendance.ts";
import type { WaitingEngine } from "../engine.ts";
import type { Observation } from "../facts/observation.ts";
import { meaningOf } from "../facts/read-failure.ts";
import { CallRead } from "../share/call-read.ts";
import { READ_TIMEOUT_MS } from "../share/read-collapse.ts";
import { nothingRead, untilAuthorized, Waiter } from "./wait.ts";
import { waitEnd } from "./wait-end.ts";

/**
 * WaitOperation: the state of the operation when it is done or the time is up, whichever comes first. `timeoutMs`
 * undefined: as long as the deadline and `waiting.max_wait` allow; 0: one fresh read.
 *
 * @throws ConnectError NOT_FOUND, PERMISSION_DENIED, INVALID_ARGUMENT or UNAUTHENTICATED as soon as a read says so;
 * UNAVAILABLE when no read has succeeded in time; RESOURCE_EXHAUSTED when there is no room for another wait.
 */
export async function waitForOperation(
  engine: WaitingEngine,
  name: string,
  timeoutMs: number | undefined,
  call: Call,
): Promise<Encoded<Operation>> {
  const { clock, config } = engine.options;
  const target = engine.target(name, call.header("authorization"));
  const now = clock.monotonic();
  const end = waitEnd({ now, timeoutMs, deadline: call.deadline, maxWait: config.maxWait });
  const waiting = new WaitEnds();
  const attendance = engine.enter(call, target, "get", waiting);
  try {
    await untilAuthorized(attendance.authorized, timeoutMs === 0 ? readEnd(call, now) : end, clock);
    const known = engine.finished(target);
    if (known) return known.operation;
    if (timeoutMs === 0) return (await readOnce(engine, name, call)).operation;
    const waiter = new Waiter({ target, end }, call, engine.tracker, clock);
    waiting.begin(waiter);
    const result = await waiter.result;
    if (!result.seen) throw nothingRead(result.kind === "time-up" ? result.failure : undefined);
    return result.seen.operation;
  } finally {
    attendance.leave();
  }
}

/**
 * One fresh read for a caller who does not want to wait.
 *
 * @throws ConnectError as {@link waitForOperation}.
 */
export async function readOnce(engine: WaitingEngine, name: string, call: Call): Promise<Observation> {
  const { clock } = engine.options;
  const read = beginRead(engine, name, call);
  // Others may share the read who are more patient.
  const timeUp = nothingRead(undefined);
  const timer = clock.setTimer(read.deadline - clock.monotonic(), () => read.end(timeUp));
  try {
    return await read.result.finally(() => timer.cancel());
  } catch (cause) {
    const error = errorOf(cause);
    if (error === call.ended || error === timeUp || meaningOf(error, engine.options.credentials) === "ends")
      throw error;
    throw nothingRead(error);
  }
}

/** A read for an RPC that is made once and is back before the RPC's deadline. */
export function beginRead(engine: WaitingEngine, name: string, call: Call): CallRead<Observation> {
  const authorization = call.header("authorization");
  const now = engine.options.clock.monotonic();
  const once: UpstreamCall = {
    deadline: readEnd(call, now),
    ended: undefined,
    authorization,
    requestId: call.requestId,
    trace: call.trace,
    retry: false,
    onEnd: (listener) => call.onEnd(listener),
    offEnd: (listener) => call.offEnd(listener),
  };
  return new CallRead(
    engine.readTarget(engine.target(name, authorization)),
    once,
    engine.reads,
    (seen) => seen,
  );
}

/** When a single read for an RPC has to be back, on the monotonic clock. */
function readEnd({ deadline }: Call, now: number): number {
  return waitEnd({ now, timeoutMs: undefined, deadline, maxWait: READ_TIMEOUT_MS });
}

/** What else may end a wait, before it has begun or in any of its parts. */
export class WaitEnds implements Attending {
  #part: Pick<Waiter, "fail" | "timeUp"> | undefined;
  #why: ConnectError | undefined;
  #stop = false;

  /** The gateway stops, so that the wait ends before the time is up. */
  get cutShort(): boolean {
    return this.#stop;
  }

  /** The caller now waits for this. */
  begin(part: Pick<Waiter, "fail" | "timeUp">): void {
    this.#part = part;
    if (this.#why) part.fail(this.#why);
    if (this.#stop) part.timeUp();
  }

  revoked(why: ConnectError): void {
    this.#why = why;
    this.#part?.fail(why);
  }

  drained(): void {
    this.#stop = true;
    this.#part?.timeUp();
  }
}
