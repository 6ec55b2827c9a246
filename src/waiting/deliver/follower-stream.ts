import type { Message } from "@bufbuild/protobuf";
import type { ConnectError } from "@connectrpc/connect";
import { gatewayError } from "../../errors/reasons.ts";
import type { Clock, Timer } from "../../lib/clock.ts";
import type { Encoded } from "../../lib/encoded.ts";
import type { ResponseStream } from "../../rpc/handler.ts";
import type { Attendance, Attending } from "../attendance.ts";
import type { Follower } from "./delivery.ts";

/** What the life of a stream is measured by. Milliseconds. */
export interface StreamLife {
  readonly clock: Clock;
  readonly random: () => number;
  readonly heartbeat: number;
  readonly maxStreamAge: number;
}

/** A stream whose reader takes nothing for so long is cut. */
const SLOW_READER_MS = 30_000;

/** A stream looks at itself at least so often, whatever the heartbeat is set to. */
const ALARM_MS = 10_000;

/** Streams end up to this share before their greatest age, so that those begun together do not end together. */
const AGE_JITTER = 0.1;

/** A caller whose stream has expired is asked to come back after up to so long. */
const REATTACH_MS = 1_000;

/**
 * Delivery, to one watcher: a stream that is pulled when the socket takes more. What is pulled is whatever is latest
 * then, so a slow reader costs one message and never a queue. It ends with its terminal message, at its greatest age,
 * or when the reader has taken nothing for too long; it says that it is alive when there is nothing else to say.
 */
export abstract class FollowerStream<T extends Message> implements ResponseStream<T>, Follower, Attending {
  end: { readonly error?: ConnectError } | undefined;
  readonly #life: StreamLife;
  #attendance: Attendance | undefined;
  #wake: (() => void) | undefined;
  #timer: Timer | undefined;
  #expires = 0;
  #lastMessage = 0;
  /** Since when there has been something that the reader has not taken. */
  #waitingSince: number | undefined;
  #beat = false;

  constructor(life: StreamLife) {
    this.#life = life;
  }

  /** Begins to follow. May throw a ConnectError. */
  protected abstract attach(): void;
  /** Stops following; called once, and also when `attach` was not. */
  protected abstract detach(): void;
  /** Whether {@link take} would give something. */
  protected abstract has(): boolean;
  /** The next message. A terminal one comes with a call of {@link finish}. */
  protected abstract take(): T | Encoded<T> | undefined;
  /** The sign of life. */
  protected abstract heartbeat(): T | Encoded<T>;

  /** Lets the caller in under whom the stream runs; before {@link open}. */
  admit(attendance: Attendance): this {
    this.#attendance = attendance;
    return this;
  }

  open(wake: () => void): void {
    const { clock, maxStreamAge, random } = this.#life;
    this.#wake = wake;
    this.#lastMessage = clock.monotonic();
    this.#expires = this.#lastMessage + maxStreamAge * (1 - AGE_JITTER * random());
    this.#setAlarm(this.#lastMessage);
    const authorized = this.#attendance?.authorized;
    if (!authorized) this.#begin();
    else
      authorized.then(
        () => this.#begin(),
        (error: ConnectError) => this.finish({ error }),
      );
  }

  pull(): T | Encoded<T> | undefined {
    if (this.end) return undefined;
    const message = this.take() ?? this.#takeBeat();
    if (message === undefined && this.end) return undefined;
    this.#waitingSince = undefined;
    if (message !== undefined) {
      this.#lastMessage = this.#life.clock.monotonic();
      this.#beat = false;
    }
    return message;
  }

  notify(): void {
    if (this.end || !this.has()) return;
    this.#waitingSince ??= this.#life.clock.monotonic();
    this.#wake?.();
  }

  close(_why: ConnectError): void {
    this.#wake = undefined;
    this.finish({});
  }

  revoked(why: ConnectError): void {
    this.finish({ error: why });
  }

  drained(): void {
    const retryDelayMs = REATTACH_MS * this.#life.random();
    this.finish({
      error: gatewayError("GATEWAY_DRAINING", "the gateway is shutting down", { retryDelayMs }),
    });
  }

  /** No message will come any more. */
  finish(end: { readonly error?: ConnectError }): void {
    if (this.end) return;
    this.end = end;
    this.#timer?.cancel();
    this.#attendance?.leave();
    this.detach();
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }

  #begin(): void {
    if (this.end) return;
    try {
      this.attach();
    } catch (error) {
      // Attaching throws nothing but what the caller may see.
      this.finish({ error: error as ConnectError });
      return;
    }
    this.notify();
  }

  #takeBeat(): T | Encoded<T> | undefined {
    return this.#beat ? this.heartbeat() : undefined;
  }

  #setAlarm(now: number): void {
    const slow =
      this.#waitingSince === undefined ? Number.POSITIVE_INFINITY : this.#waitingSince + SLOW_READER_MS;
    const beat = this.#beat ? Number.POSITIVE_INFINITY : this.#lastMessage + this.#life.heartbeat;
    const at = Math.min(slow, beat, this.#expires, now + ALARM_MS);
    this.#timer = this.#life.clock.setTimer(at - now, () => this.#alarm());
  }

  #alarm(): void {
    const now = this.#life.clock.monotonic();
    if (now >= this.#expires) this.finish({ error: this.#expired() });
    else if (this.#waitingSince !== undefined && now - this.#waitingSince >= SLOW_READER_MS)
      this.finish({ error: slowReader() });
    else {
      if (!this.#beat && now - this.#lastMessage >= this.#life.heartbeat) {
        this.#beat = true;
        this.#waitingSince ??= now;
        this.#wake?.();
      }
      if (!this.end) this.#setAlarm(now);
    }
  }

  #expired(): ConnectError {
    return gatewayError("STREAM_EXPIRED", "the stream has reached waiting.max_stream_age; attach again", {
      retryDelayMs: REATTACH_MS * this.#life.random(),
    });
  }
}

function slowReader(): ConnectError {
  return gatewayError("SLOW_READER", `nothing was read from the stream for ${SLOW_READER_MS / 1000} s`, {
    retryDelayMs: REATTACH_MS,
  });
}
