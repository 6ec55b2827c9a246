import { LearntRate } from "./learnt-rate.ts";

/** A configured rate is used up to this share: evenly spaced reads arrive unevenly, and a limit is a limit. */
const CONFIGURED_SHARE = 0.97;

/**
 * Timers fire late, on a busy machine by many milliseconds; a poll that is late by up to this does not delay those after
 * it. That no second holds more than its share all the same, `#windowAt` sees to.
 */
const LATENESS_MS = 200;

/** A call waits for its turn behind this many others at most, and within these bounds: somebody waits for it. */
const PATIENCE_SLOTS = 2;
const MIN_PATIENCE_MS = 250;
const MAX_PATIENCE_MS = 2_000;

/** Calls push polls back by this much at most, so that a flood of calls cannot stop all polls. */
const MAX_DEBT_MS = 2_000;

/** Send times that are remembered at most. Above so many reads in a second bursts need no guard. */
const MAX_LOG = 1_000;

/** Pause after a refusal that does not say how long, doubled while nothing is accepted in between. */
const FIRST_PAUSE_MS = 1_000;

/** What the upstream's documentation asks for after a 429 at most: https://cloud.google.com/service-usage/docs/troubleshooting */
const MAX_PAUSE_MS = 30_000;

/** Longest wait that is believed of a Retry-After. */
const MAX_RETRY_AFTER_MS = 24 * 3_600_000;

/** Polls do not all start in the very millisecond in which a pause ends. */
const AFTER_PAUSE_MS = 50;

/**
 * Scheduling, second half: whether a read that is due may be sent. One budget for each project and region, since that
 * is how the upstream counts. A pure state machine; moments are monotonic milliseconds.
 *
 * Polls are spaced evenly. A call that a caller waits for may use up what is left of the last second at once; the
 * polls then make room for it.
 */
export class ReadBudget {
  readonly #configured: number | undefined;
  readonly #learnt = new LearntRate();
  readonly #log: number[] = [];
  /** When the next poll may go. */
  #slot = Number.NEGATIVE_INFINITY;
  #pausedUntil = Number.NEGATIVE_INFINITY;
  /** Pauses in a row, with nothing accepted between them. */
  #pauses = 0;

  /** `readsPerSecond` undefined: learnt. */
  constructor(readsPerSecond: number | undefined) {
    this.#configured = readsPerSecond === undefined ? undefined : readsPerSecond * CONFIGURED_SHARE;
  }

  /** Reads per second at present. */
  rate(now: number): number {
    return this.#configured ?? this.#learnt.rate(now);
  }

  /** Polls stop until then, because the upstream said so. In the past when there is no pause. */
  get paused(): number {
    return this.#pausedUntil;
  }

  /** The earliest moment for the next poll. */
  pollAt(now: number): number {
    // After a late one, polls may use what CONFIGURED_SHARE keeps back.
    return Math.max(this.#slot, this.#pausedUntil, this.#windowAt(now, this.rate(now) / CONFIGURED_SHARE));
  }

  /** How long a call waits for its turn at most before it is sent all the same. Milliseconds. */
  patience(now: number): number {
    return Math.min(Math.max((PATIENCE_SLOTS * 1000) / this.rate(now), MIN_PATIENCE_MS), MAX_PATIENCE_MS);
  }

  /** The earliest moment for a read that a caller waits for: at once during a pause, and while no limit is known. */
  callAt(now: number): number {
    return now < this.#pausedUntil ? now : this.#windowAt(now, this.rate(now));
  }

  /** When the last second holds so few reads that one more keeps to the rate; at once while no limit is known. */
  #windowAt(now: number, rate: number): number {
    if (this.#configured === undefined && !this.#learnt.known) return now;
    const inWindow = Math.min(Math.max(Math.round(rate), 1), MAX_LOG);
    const oldest = this.#log.at(-inWindow);
    return oldest === undefined ? now : Math.max(oldest + (inWindow * 1000) / rate, now);
  }

  /** A read is sent now, of whatever kind. */
  sent(now: number): void {
    const step = 1000 / this.rate(now);
    // Later than that was no lateness: nothing was due.
    const slot = this.#slot < now - LATENESS_MS ? now : this.#slot;
    this.#slot = Math.min(slot + step, now + Math.max(step, MAX_DEBT_MS));
    this.#log.push(now);
    if (this.#log.length > 2 * MAX_LOG) this.#log.splice(0, MAX_LOG);
  }

  /**
   * A read that was sent at `sentAt` was answered in any way but for its rate. `retryAfterMs`: the upstream wants to
   * be left alone so long.
   */
  accepted(sentAt: number, now: number, retryAfterMs?: number): void {
    this.#pauses = 0;
    if (retryAfterMs !== undefined) this.#pause(now, retryAfterMs);
    this.#learnt.accepted(sentAt, now);
  }

  /**
   * A read that was sent at `sentAt` was refused because there were too many. `forced`: it was sent earlier than
   * {@link callAt} allowed, so its refusal says nothing of the limit.
   */
  refused(sentAt: number, now: number, retryAfterMs?: number, forced = false): void {
    // Of reads that were under way together, the first one that is refused tells all there is to know; what is sent
    // during a pause is refused for the pause.
    const telling = !forced && sentAt >= this.#pausedUntil;
    const unsaid = Math.min(FIRST_PAUSE_MS * 2 ** this.#pauses, MAX_PAUSE_MS);
    if (retryAfterMs !== undefined) this.#pause(now, retryAfterMs);
    if (telling) {
      // Refused again although the upstream's own time was kept: it means longer than it says.
      if (retryAfterMs === undefined || this.#pauses > 0) this.#pause(now, unsaid);
      this.#pauses++;
    }
    this.#learnt.refused(sentAt, now, telling ? this.#pausedUntil - now : undefined);
  }

  /** A call that is no read, a cancel, was refused because there were too many. */
  refusedElsewhere(now: number, retryAfterMs: number | undefined): void {
    this.#pause(now, retryAfterMs ?? FIRST_PAUSE_MS);
  }

  #pause(now: number, delayMs: number): void {
    const until = now + Math.min(delayMs, MAX_RETRY_AFTER_MS) + AFTER_PAUSE_MS;
    this.#pausedUntil = Math.max(this.#pausedUntil, until);
  }
}
