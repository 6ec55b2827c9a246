import { METER_MAX_MS, RateMeter } from "./rate-meter.ts";

/** Reads per second before anything is known. Enough for a few hundred operations, soon refused where it is too much. */
const START_RATE = 20;

/** Rate that is never exceeded, so that arithmetic stays sane. */
const MAX_RATE = 10_000;

/** One read in twenty seconds is always tried: the upstream that takes less than that has other troubles. */
const MIN_RATE = 1 / 20;

/** Right after a refusal the rate is this share of the limit; within {@link RAMP_MS} it comes to {@link HOLD_SHARE}. */
const AFTER_REFUSAL = 0.92;

/** Share of the known limit that is used while holding: room for the jitter of a network. */
const HOLD_SHARE = 0.97;

const RAMP_MS = 3_000;

/** Growth in a trial, as a share of the limit per second: slow, so that the refusal comes close to the limit. */
const TRIAL_GROWTH = 0.02;

/** After so long without a refusal the old limit is no more, and the rate grows by {@link FREE_GROWTH} per second. */
const TRIAL_MS = 15_000;

const FREE_GROWTH = 1.1;

/** A limit seen for the first time, in the rush of a start, is checked after this many times the pause that it cost. */
const FIRST_HOLD = 10;

/** A limit that has been seen twice is held longer: trials cost a hundredth of the time at most. */
const SETTLED_HOLD = 100;

/** A pause shorter than this share of the time after it is left out of the measurement, see {@link LearntRate.refused}. */
const SHORT_PAUSE = 1 / 10;

/** What a trial has shown is read off its last seconds. */
const TRIAL_SPAN_MS = 10_000;

/** What the first refusal has shown is read off its last second, too: before it there was less to be read, or nothing. */
const RUSH_SPAN_MS = 1_000;

/** A refusal lowers the rate to this share at least: counts taken in a bad moment must not starve everything. */
const LARGEST_CUT = 0.25;

/** Unused rate is not trusted: it grows to this multiple of what was really accepted lately. */
const HEADROOM = 4;

/**
 * How many reads per second an upstream takes that does not say so, learnt from what it refuses. A pure state
 * machine; moments are monotonic milliseconds.
 *
 * While nothing was ever refused the rate grows with what is accepted. A refusal tells the limit: what was accepted
 * since the last one, by the time that has passed. From then on reads go at a little less than the limit, for long,
 * because each trial above it costs a pause. Then a slow climb finds out whether the limit is still there.
 */
export class LearntRate {
  readonly #meter = new RateMeter();
  #limit: number | undefined;
  #free = START_RATE;
  #lastRefusal: number | undefined;
  #pauseEnd = Number.NEGATIVE_INFINITY;
  /** When reads were first accepted again after the last refusal. */
  #resumed: number | undefined = 0;
  #holdUntil = 0;

  /** Whether a refusal has told a limit. */
  get known(): boolean {
    return this.#limit !== undefined;
  }

  /** Reads per second that may be sent now. */
  rate(now: number): number {
    const limit = this.#limit;
    const lastRefusal = this.#lastRefusal;
    if (limit === undefined || lastRefusal === undefined) return this.#free;
    const ramp = Math.min((now - lastRefusal) / RAMP_MS, 1);
    const share = AFTER_REFUSAL + (HOLD_SHARE - AFTER_REFUSAL) * ramp;
    const trial = Math.max(now - this.#holdUntil, 0);
    const climb = (TRIAL_GROWTH * Math.min(trial, TRIAL_MS)) / 1000;
    const beyond = FREE_GROWTH ** (Math.max(trial - TRIAL_MS, 0) / 1000);
    return Math.min(Math.max(limit * (share + climb) * beyond, MIN_RATE), this.#trusted(now));
  }

  /** A read that was sent at `sentAt` was answered, not refused. */
  accepted(sentAt: number, now: number): void {
    this.#meter.add(sentAt, now);
    if (sentAt >= this.#pauseEnd) this.#resumed ??= sentAt;
    if (this.#limit === undefined) this.#free = Math.min(this.#free + 1, this.#trusted(now));
  }

  /**
   * A read was refused for the rate. `pauseMs` is how long nothing will be sent now; absent when the refusal tells
   * nothing new, because an earlier one has been drawn conclusions from.
   */
  refused(sentAt: number, now: number, pauseMs: number | undefined): void {
    if (pauseMs === undefined) return;
    this.#pauseEnd = now + pauseMs;
    if (this.#resumed === undefined) return;
    const limit = Math.max(this.#measure(this.rate(now), this.#resumed, sentAt), MIN_RATE);
    const settled = this.#limit !== undefined && Math.abs(limit - this.#limit) < this.#limit / 4;
    this.#limit = limit;
    this.#lastRefusal = sentAt;
    this.#resumed = undefined;
    this.#holdUntil = now + pauseMs * (settled ? SETTLED_HOLD : FIRST_HOLD);
  }

  /**
   * The limit that the refusal of a read shows, told from what was accepted of those sent before it.
   *
   * Limits count in different ways: one that saves up what is not used takes more right after a pause, so the pause
   * belongs to the measured time; one that counts the last second has forgotten it. Where the pause was short it
   * makes little difference, and is left out; else it counts, which errs on the side of the upstream. A refusal in a
   * trial cannot show less than the limit that was kept until then, and the very first one no less than was accepted in
   * the second before it, however long nobody had wanted anything.
   */
  #measure(before: number, resumed: number, sentAt: number): number {
    if (this.#limit !== undefined && before >= this.#limit)
      return Math.min(Math.max(this.#perSecond(TRIAL_SPAN_MS, sentAt), this.#limit), before);
    const active = sentAt - resumed;
    const paused = resumed - (this.#lastRefusal ?? resumed);
    const measured = this.#perSecond(paused < active * SHORT_PAUSE ? active : active + paused, sentAt);
    const rush = this.#limit === undefined ? this.#perSecond(RUSH_SPAN_MS, sentAt) : 0;
    return Math.min(Math.max(measured, rush, before * LARGEST_CUT), before);
  }

  #perSecond(spanMs: number, end: number): number {
    const span = Math.min(Math.max(spanMs, 1000), METER_MAX_MS);
    return (this.#meter.count(span, end) * 1000) / span;
  }

  #trusted(now: number): number {
    return Math.min(Math.max(START_RATE, this.#perSecond(2_000, now) * HEADROOM), MAX_RATE);
  }
}
