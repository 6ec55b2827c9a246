import { ConnectError } from "@connectrpc/connect";
import { gatewayError } from "../errors/reasons.ts";
import type { Clock, Timer } from "../lib/clock.ts";
import type { Call } from "../rpc/call.ts";
import type { Authorizer, Identity, Right } from "./identity.ts";

/** What bounds the waits and watches of all callers together. */
export interface AttendanceOptions {
  readonly clock: Clock;
  readonly maxWatches: number;
  readonly maxWatchesPerCaller: number;
  /** Absent: everybody may do what the upstream lets the identity do. */
  readonly authorizer: Authorizer | undefined;
  readonly reauthorizeInterval: number;
}

/** Who waits, and for what. */
export interface Attendee {
  readonly call: Call;
  readonly identity: Identity;
  readonly name: string;
  readonly right: Right;
  readonly waiting: Attending;
}

/** The wait or watch itself, as far as the door has to do with it. */
export interface Attending {
  /** The right has been withdrawn: it ends with this error. */
  revoked(why: ConnectError): void;
  /** The gateway stops: it ends now, as well as it can. */
  drained(): void;
}

/** A refused caller may try again after so long: waits end all the time. */
const RETRY_MS = 5_000;

/** The door to waiting: counts who is in, and asks whether he may be, when he comes and while he stays. */
export class Attendances {
  readonly options: AttendanceOptions;
  readonly #perCaller = new Map<Identity, number>();
  readonly #inside = new Set<Attendance>();
  #draining = false;

  constructor(options: AttendanceOptions) {
    this.options = options;
  }

  /** Waits and watches at present. */
  get size(): number {
    return this.#inside.size;
  }

  /**
   * Lets a caller in.
   *
   * @throws ConnectError RESOURCE_EXHAUSTED with RetryInfo when there are too many, or what the authorizer throws.
   */
  enter(attendee: Attendee): Attendance {
    const { identity } = attendee;
    const his = this.#perCaller.get(identity) ?? 0;
    if (this.#draining)
      throw gatewayError("GATEWAY_DRAINING", "the gateway is shutting down", { retryDelayMs: 1_000 });
    if (this.#inside.size >= this.options.maxWatches) throw full("waiting.max_watches");
    if (his >= this.options.maxWatchesPerCaller) throw full("waiting.max_watches_per_caller");
    this.#perCaller.set(identity, his + 1);
    const attendance = new Attendance(attendee, this);
    this.#inside.add(attendance);
    try {
      attendance.begin();
    } catch (error) {
      attendance.leave();
      throw error;
    }
    return attendance;
  }

  /** Sends everybody away, and lets nobody in any more. */
  drain(): void {
    this.#draining = true;
    for (const attendance of [...this.#inside]) attendance.drain();
  }

  /** For {@link Attendance.leave}. */
  left(attendance: Attendance, identity: Identity): void {
    this.#inside.delete(attendance);
    const his = (this.#perCaller.get(identity) ?? 1) - 1;
    if (his > 0) this.#perCaller.set(identity, his);
    else this.#perCaller.delete(identity);
  }
}

/** One caller who is in. */
export class Attendance {
  /** Settles with the first check of his right; `undefined` when that needed no waiting. Rejects with a ConnectError. */
  authorized: Promise<void> | undefined;
  readonly #attendee: Attendee;
  readonly #door: Attendances;
  #timer: Timer | undefined;
  #gone = false;

  constructor(attendee: Attendee, door: Attendances) {
    this.#attendee = attendee;
    this.#door = door;
  }

  /** Checks his right for the first time. Throws, or sets {@link authorized}. */
  begin(): void {
    const { authorizer } = this.#door.options;
    if (!authorizer) return;
    const answer = this.#check(authorizer);
    if (answer instanceof ConnectError) throw answer;
    this.authorized = answer?.then((refused) => {
      if (refused) throw refused;
    });
    this.#later(authorizer);
  }

  /** He is out, for whatever reason. Does nothing the second time. */
  leave(): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#timer?.cancel();
    this.#door.left(this, this.#attendee.identity);
  }

  /** Tells him that the gateway stops. */
  drain(): void {
    this.#attendee.waiting.drained();
  }

  #later(authorizer: Authorizer): void {
    if (this.#gone) return;
    const { clock, reauthorizeInterval } = this.#door.options;
    this.#timer = clock.setTimer(reauthorizeInterval, () => {
      const answer = this.#check(authorizer);
      if (answer instanceof Promise) answer.then((refused) => this.#decide(refused, authorizer));
      else this.#decide(answer, authorizer);
    });
  }

  #decide(refused: ConnectError | undefined, authorizer: Authorizer): void {
    if (this.#gone) return;
    if (refused) this.#attendee.waiting.revoked(refused);
    else this.#later(authorizer);
  }

  /** The refusal, if any, now or later; never throws or rejects. */
  #check(authorizer: Authorizer): ConnectError | undefined | Promise<ConnectError | undefined> {
    const { call, name, right } = this.#attendee;
    try {
      const answer = authorizer.authorize(call, name, right);
      return answer ? answer.then(() => undefined, refusal) : undefined;
    } catch (error) {
      return refusal(error);
    }
  }
}

function refusal(error: unknown): ConnectError {
  if (error instanceof ConnectError) return error;
  return gatewayError("GATEWAY_BUG", "the right of the caller could not be checked", { cause: error });
}

function full(key: string): ConnectError {
  return gatewayError("TOO_MANY_WATCHES", `there are as many waits and watches as ${key} allows; try later`, {
    retryDelayMs: RETRY_MS,
    metadata: { limit: key },
  });
}
