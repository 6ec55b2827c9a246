import type { Clock } from "../../lib/clock.ts";
import type { Departure } from "../departure.ts";
import { type ListenerLimits, STALLED_ANSWER_MS, STALLED_REQUEST_MS, STALLED_WRITE_MS } from "../limits.ts";
import { Rounds } from "../rounds.ts";
import { DEFAULT_WINDOW, ErrorCode } from "./frame.ts";
import type { Http2Session } from "./session.ts";

/** What is known of one session. */
interface Watched {
  /** The newest stream at the last look: whether a call has come since. */
  lastStream: number;
  lastSign: number;
  /** When a PING was sent, or the last sign of life seen behind it; `undefined`: it is answered. */
  waitsForPongSince: number | undefined;
  /** {@link Http2Session.signsOfLife} at the last look at an unanswered PING. */
  signsOfLife: number;
  /** When the peer was asked to go; `undefined`: it was not. */
  retiredAt: number | undefined;
}

/** How often the sessions are looked at while an answer to a PING may take its time. */
const LOOKS_PER_ANSWER = 20;

/** After a session has answered its first PING, quiet ones are asked this many times more rarely. */
const QUIET_FACTOR = 6;

/** How long a peer may take to acknowledge by a PING that it has heard that it should go, in milliseconds. */
const ROUND_TRIP_MS = 1_000;

/** How long a connection whose last word is said waits for its peer to close, in milliseconds. */
const LINGER_MS = 2_000;

/** How long a peer may take to acknowledge our SETTINGS (RFC 9113 §6.5.3), in milliseconds: many lost packets. */
const SETTINGS_ACK_MS = 30_000;

/**
 * Looks at all sessions with one timer: asks quiet ones by PING whether they live and destroys those that give no sign
 * of it, ends those that stop in the middle of a header block, do not acknowledge SETTINGS, do not read, or do not
 * close, cuts answers that are not let through, and asks those that have to go to do so, so that no call is lost:
 * GOAWAY without a limit, then, when the peer has shown by the answer to a PING that it knows, GOAWAY with the last
 * stream (RFC 9113 §6.8).
 */
export class SessionWatch {
  readonly #clock: Clock;
  readonly #limits: ListenerLimits;
  readonly #departure: Departure;
  readonly #watched = new Map<Http2Session, Watched>();
  readonly #rounds: Rounds;

  constructor(clock: Clock, limits: ListenerLimits, departure: Departure) {
    this.#clock = clock;
    this.#limits = limits;
    this.#departure = departure;
    this.#rounds = new Rounds(clock, limits.pingAnswerMs / LOOKS_PER_ANSWER, (now) => this.#look(now));
  }

  /** The sessions that are open now. */
  get sessions(): Iterable<Http2Session> {
    return this.#watched.keys();
  }

  add(session: Http2Session): void {
    const watched: Watched = {
      lastStream: 0,
      lastSign: session.openedAt,
      waitsForPongSince: undefined,
      signsOfLife: 0,
      retiredAt: undefined,
    };
    this.#watched.set(session, watched);
    this.#rounds.start();
    this.#retireIfDue(session, watched);
  }

  delete(session: Http2Session): void {
    this.#watched.delete(session);
  }

  /** Asks those that have to go now, without waiting for the next look. */
  retire(): void {
    for (const [session, watched] of this.#watched) this.#retireIfDue(session, watched);
  }

  /** Looks at nothing any more. */
  stop(): void {
    this.#rounds.stop();
  }

  #retireIfDue(session: Http2Session, watched: Watched): void {
    if (watched.retiredAt !== undefined || session.endedAt !== undefined) return;
    if (!this.#departure.due(session.timeToGo)) return;
    watched.retiredAt = this.#clock.monotonic();
    session.announceEnd();
    session.ping("leaving", () => session.refuseNew());
  }

  #look(now: number): boolean {
    for (const [session, watched] of this.#watched) {
      if (this.#isLost(session, watched, now)) session.destroy();
      else this.#lookAt(session, watched, now);
    }
    return this.#watched.size > 0;
  }

  /** Whether nobody seems to be at the other end any more. */
  #isLost(session: Http2Session, watched: Watched, now: number): boolean {
    const { endedAt, blockedSince } = session;
    if (endedAt !== undefined) return now - endedAt >= (session.unsent ? STALLED_WRITE_MS : LINGER_MS);
    if (blockedSince !== undefined && now - blockedSince >= STALLED_WRITE_MS) return true;
    if (watched.waitsForPongSince === undefined) return false;
    // A peer that is slow to come to our PING, behind much that it has to read, and says something, lives.
    if (session.signsOfLife !== watched.signsOfLife) {
      watched.signsOfLife = session.signsOfLife;
      watched.waitsForPongSince = now;
    }
    return now - watched.waitsForPongSince >= this.#answerMs(session);
  }

  /**
   * How long the peer may be silent with a PING before it. A PING stands behind what was sent before: a peer with windows
   * of the usual size says something for each half of them, but one with huge windows may have megabytes to read first.
   */
  #answerMs({ unreadBytes }: Http2Session): number {
    const { pingAnswerMs } = this.#limits;
    return unreadBytes > DEFAULT_WINDOW ? Math.max(pingAnswerMs, STALLED_WRITE_MS) : pingAnswerMs;
  }

  #lookAt(session: Http2Session, watched: Watched, now: number): void {
    const { endedAt, incoming, openedAt } = session;
    const { headersMs, pingAfterMs } = this.#limits;
    if (endedAt !== undefined) return;
    if (!incoming.settingsHeard && now - openedAt >= SETTINGS_ACK_MS) {
      session.fail(ErrorCode.SETTINGS_TIMEOUT, "SETTINGS were not acknowledged");
      return;
    }
    if (incoming.requests.openBlock !== undefined && now - incoming.requests.openBlock.begunAt >= headersMs) {
      session.fail(ErrorCode.ENHANCE_YOUR_CALM, "a header block takes too long");
      return;
    }
    session.cutStalled(now, STALLED_ANSWER_MS, STALLED_REQUEST_MS);
    this.#retireIfDue(session, watched);
    if (watched.retiredAt !== undefined && now - watched.retiredAt >= ROUND_TRIP_MS) session.refuseNew();
    if (watched.waitsForPongSince !== undefined) return;
    if (incoming.requests.lastStream !== watched.lastStream) {
      watched.lastStream = incoming.requests.lastStream;
      watched.lastSign = now;
    } else if (now - watched.lastSign >= pingAfterMs && session.blockedSince === undefined) {
      watched.waitsForPongSince = now;
      watched.signsOfLife = session.signsOfLife;
      session.ping("alive", () => {
        watched.waitsForPongSince = undefined;
        watched.lastSign = this.#clock.monotonic() + (QUIET_FACTOR - 1) * pingAfterMs;
      });
    }
  }
}
