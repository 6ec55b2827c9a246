import { toJson } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { ConnectError } from "@connectrpc/connect";
import { Code as StatusCode } from "../../gen/google/rpc/code_pb.ts";
import {
  type CancelAndWaitResponse,
  CancelAndWaitResponse_OutcomeSchema,
  CancelAndWaitResponseSchema,
  CancelAndWaitResponse_Outcome as Outcome,
} from "../../gen/lrogateway/v1/operation_watcher_pb.ts";
import { formatDuration } from "../config/duration.ts";
import { retryDelayMs } from "../errors/retry-delay.ts";
import { registry } from "../lib/any-registry.ts";
import { EXIT } from "./exit-codes.ts";
import { type ClientSettings, openWatcher, readClientSettings, readTimeout } from "./gateway-client.ts";
import type { CommandIo } from "./io.ts";
import { printOperation } from "./print-operation.ts";
import { isFinal, pauseAfter, sleep } from "./reattach.ts";
import { explainRpcFailure, neverConnected } from "./rpc-failure.ts";
import { type ProcessEvents, SIGNAL_EXIT } from "./run-until-stopped.ts";
import { StopWaiting } from "./stop-waiting.ts";

/** How long the outcome of a cancel is waited for when `--timeout` does not say, ms. */
const DEFAULT_WAIT_MS = 600_000;

/** The deadline of the call lies so long behind the end of the wait, so that the answer of the latter arrives, ms. */
const ANSWER_MS = 5_000;

/** `cancel --wait`: cancels an operation, waits for what comes of it, and tells that by the exit code. */
export async function cancelAndWait(
  name: string,
  options: Readonly<Record<string, unknown>>,
  io: CommandIo,
  process: ProcessEvents,
): Promise<number> {
  const settings = readClientSettings(options, io);
  const waitMs = readTimeout(options) ?? DEFAULT_WAIT_MS;
  const stop = new StopWaiting(process, io, undefined);
  const response = await resolve(name, waitMs, settings, stop);
  if (!response) {
    io.err(
      `Stopped waiting. The cancel may have been sent and is not taken back; what comes of it: ${settings.lineFor("wait", name)}\n`,
    );
    return stop.reason === "SIGTERM" ? SIGNAL_EXIT.SIGTERM : SIGNAL_EXIT.SIGINT;
  }
  const { outcome, operation } = response;
  if (settings.output === "json")
    io.out(`${JSON.stringify(toJson(CancelAndWaitResponseSchema, response, { registry }), undefined, 2)}\n`);
  else {
    const { name: word = "" } = CancelAndWaitResponse_OutcomeSchema.value[outcome] ?? {};
    io.out(`${word}: ${MEANING[outcome] ?? "an outcome that this client does not know"}\n`);
    if (operation) printOperation(operation, settings.output, io);
  }
  if (outcome === Outcome.STILL_RUNNING)
    io.err(
      `The operation still runs after ${formatDuration(waitMs)}; go on with: ${settings.lineFor("wait", name)}\n`,
    );
  return EXIT_CODES[outcome] ?? EXIT.FAILED;
}

/** The answer, whatever number of calls that takes; `undefined` when the user stops it. */
async function resolve(
  name: string,
  waitMs: number,
  settings: ClientSettings,
  { signal }: StopWaiting,
): Promise<CancelAndWaitResponse | undefined> {
  const watcher = openWatcher(settings);
  const end = performance.now() + waitMs;
  for (let calls = 0; ; calls++) {
    const left = Math.ceil(Math.max(end - performance.now(), 0));
    const request = { name, timeout: durationFromMs(left) };
    let pause = pauseAfter(calls);
    try {
      const response = await watcher.cancelAndWait(request, { timeoutMs: left + ANSWER_MS, signal });
      // `waiting.max_wait` of the gateway may be shorter.
      const early = response.outcome === Outcome.STILL_RUNNING && performance.now() + pause < end;
      if (!early) return calls > 0 ? afterEarlierCall(response) : response;
    } catch (error) {
      if (signal.aborted) return undefined;
      const failure = ConnectError.from(error);
      const nobodyThere = calls === 0 && neverConnected(failure);
      pause = retryDelayMs(failure) ?? pause;
      if (nobodyThere || isFinal(failure) || performance.now() + pause >= end)
        throw explainRpcFailure(error, settings);
    }
    await sleep(pause, signal);
    if (signal.aborted) return undefined;
  }
}

/**
 * The answer to a repeated call. "Done already" may be the doing of the first call, so it says no more than how the
 * operation ended.
 */
function afterEarlierCall(response: CancelAndWaitResponse): CancelAndWaitResponse {
  if (response.outcome !== Outcome.ALREADY_DONE) return response;
  const result = response.operation?.result;
  if (result?.case !== "error") return { ...response, outcome: Outcome.COMPLETED };
  const cancelled = result.value.code === StatusCode.CANCELLED;
  return { ...response, outcome: cancelled ? Outcome.CANCELLED : Outcome.FAILED };
}

const EXIT_CODES: Readonly<Partial<Record<Outcome, number>>> = {
  [Outcome.CANCELLED]: EXIT.OK,
  [Outcome.COMPLETED]: EXIT.COMPLETED,
  [Outcome.FAILED]: EXIT.OPERATION_FAILED,
  [Outcome.ALREADY_DONE]: EXIT.ALREADY_DONE,
  [Outcome.STILL_RUNNING]: EXIT.STILL_RUNNING,
  [Outcome.NOT_FOUND]: EXIT.NOT_FOUND,
};

const MEANING: Readonly<Partial<Record<Outcome, string>>> = {
  [Outcome.CANCELLED]: "the operation ended cancelled",
  [Outcome.COMPLETED]: "the operation ended well all the same; the cancel came too late",
  [Outcome.FAILED]: "the operation ended with another error than CANCELLED",
  [Outcome.ALREADY_DONE]: "the operation was done before the cancel was sent",
  [Outcome.STILL_RUNNING]: "the cancel was taken, and the operation still runs",
  [Outcome.NOT_FOUND]: "there is no such operation",
};
