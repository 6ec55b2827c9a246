import { Code, ConnectError } from "@connectrpc/connect";
import { LAYER_HEADER } from "../errors/reasons.ts";
import { retryDelayMs } from "../errors/retry-delay.ts";

/** What an attached stream is lost by: an error, or `undefined` when it just ended. */
export type Loss = ConnectError | undefined;

/** How a stream is followed across attachments. */
export interface Following<T> {
  /** Begins one stream. Aborting the signal ends it. */
  readonly attach: (signal: AbortSignal) => AsyncIterable<T>;
  /** Ends the whole. */
  readonly signal: AbortSignal;
  /** Told of each loss, before the pause that follows it. */
  readonly onLoss: (loss: Loss, delayMs: number) => void;
  /** Times, for tests that have none. */
  readonly times?: Partial<ReattachTimes>;
}

/** Milliseconds. */
export interface ReattachTimes {
  /**
   * A stream without any message for so long is dead, whatever the connection says. Twelve times the gateway's default
   * heartbeat; where heartbeats are rarer, attaching again costs one message.
   */
  readonly silence: number;
  /** The attempt to attach again is given up after so long without a message: longer than a rolling restart. */
  readonly giveUp: number;
  /** First pause when the gateway names none; doubled with each failure in a row up to `maxPause`, half of it random. */
  readonly pause: number;
  readonly maxPause: number;
}

const TIMES: ReattachTimes = { silence: 120_000, giveUp: 300_000, pause: 250, maxPause: 10_000 };

/**
 * Follows a stream of the gateway by the rule of docs/waiting.md: attaches again, after the pause that RetryInfo names,
 * whenever the stream ends otherwise than by an error about the operation or the caller. Whoever reads a terminal
 * message stops reading, and nothing is attached again. Ends when the signal is aborted.
 *
 * @throws ConnectError when an error is final; when not even the first stream gave a message, unless the gateway asked
 * to come back; or when nothing came for `giveUp`.
 */
export async function* follow<T>(following: Following<T>): AsyncGenerator<T, void> {
  const times = { ...TIMES, ...following.times };
  let lastMessage: number | undefined;
  let failures = 0;
  const begun = performance.now();
  while (!following.signal.aborted) {
    const attachment = new Attachment(following, times.silence);
    for await (const message of attachment.messages()) {
      lastMessage = performance.now();
      failures = 0;
      yield message;
    }
    const { loss } = attachment;
    if (following.signal.aborted) return;
    const asked = loss && retryDelayMs(loss);
    const quiet = performance.now() - (lastMessage ?? begun);
    if (loss && (isFinal(loss) || (lastMessage === undefined && asked === undefined) || quiet > times.giveUp))
      throw loss;
    const delay = asked ?? pauseAfter(failures++, times);
    following.onLoss(loss, delay);
    await sleep(delay, following.signal);
  }
}

/** Whether a call that ended in this way would end so again: the error is about the operation or the caller. */
export function isFinal(error: ConnectError): boolean {
  if (FINAL.has(error.code)) return true;
  return error.code === Code.ResourceExhausted && error.metadata.has(LAYER_HEADER) && !retryDelayMs(error);
}

const FINAL: ReadonlySet<Code> = new Set([
  Code.NotFound,
  Code.PermissionDenied,
  Code.InvalidArgument,
  Code.Unauthenticated,
  Code.Unimplemented,
  Code.FailedPrecondition,
]);

/** Resolves after so many milliseconds, or when the signal is aborted. */
export function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done);
  });
}

/** The pause after so many failures in a row. */
export function pauseAfter(failures: number, { pause, maxPause }: ReattachTimes = TIMES): number {
  const ceiling = Math.min(pause * 2 ** failures, maxPause);
  return ceiling / 2 + (Math.random() * ceiling) / 2;
}

/** One stream, watched for silence. */
class Attachment<T> {
  /** How it ended. */
  loss: Loss;
  readonly #following: Following<T>;
  readonly #silenceMs: number;

  constructor(following: Following<T>, silenceMs: number) {
    this.#following = following;
    this.#silenceMs = silenceMs;
  }

  async *messages(): AsyncGenerator<T, void> {
    const end = new AbortController();
    const { attach, signal } = this.#following;
    const silent = (): void => end.abort(new ConnectError("the stream has gone silent", Code.Unavailable));
    let timer = setTimeout(silent, this.#silenceMs);
    try {
      for await (const message of attach(AbortSignal.any([signal, end.signal]))) {
        clearTimeout(timer);
        yield message;
        timer = setTimeout(silent, this.#silenceMs);
      }
    } catch (error) {
      this.loss = ConnectError.from(error);
    } finally {
      clearTimeout(timer);
      // Leaving the loop does not end the call, aborting it does.
      end.abort();
    }
  }
}
