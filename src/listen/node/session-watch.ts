import type { Http2Session, ServerHttp2Session } from "node:http2";
import type { Clock } from "../../lib/clock.ts";
import type { Departure } from "../departure.ts";
import { TokenBucket } from "../http2/token-bucket.ts";
import { type ListenerLimits, STALLED_WRITE_MS } from "../limits.ts";
import { Rounds } from "../rounds.ts";
import { retireSession } from "./retire-session.ts";

/** An answer that a peer may leave lying. */
export interface OpenAnswer {
  /** Gives it up when it has been lying for too long. `now` is on the clock's `monotonic()`. */
  cutStalled(now: number): void;
}

/** What is known of one session. */
interface Watched {
  readonly session: ServerHttp2Session;
  readonly timeToGo: number;
  retired: boolean;
  /** The newest stream at the last look: whether a call has come since. A listener would cost every call. */
  lastStream: number;
  lastSign: number;
  /** Window of the connection at the last look, in bytes, and as the peer had last widened it. */
  window: number;
  widenedTo: number;
  /** When a PING was sent, or the last sign of life seen behind it; `undefined`: it is answered. */
  waitsForPongSince: number | undefined;
  /** Streams that became calls, or were reset by the peer before. */
  taken: number;
  /** Of all others that it has begun, those that are counted. */
  refused: number;
  readonly refusals: TokenBucket;
}

/** How often the sessions are looked at while an answer to a PING may take its time. */
const LOOKS_PER_ANSWER = 20;

/** RFC 9113 §6.9.2. A peer whose windows are no larger says something for each half of them. */
const USUAL_WINDOW = 65_535;

/** RFC 9113 §7. */
const ENHANCE_YOUR_CALM = 11;

/** After a session has answered its first PING, quiet ones are asked this many times more rarely. */
const QUIET_FACTOR = 6;

/**
 * Asks quiet HTTP/2 sessions by PING whether they live, and destroys those that do not answer: a peer that is gone
 * without a word, and one that stops in the middle of a header block, a frame or the preface, for which Node has no
 * timer. Between HEADERS and its last CONTINUATION no other frame may be sent (RFC 9113 §6.10), so a peer that keeps
 * a header block open cannot answer. Ends those that make the gateway reset too many streams, cuts answers that are
 * not let through, and asks those that have to go to do so.
 */
export class SessionWatch {
  /** Those of all calls that are not over. */
  readonly answers = new Set<OpenAnswer>();
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
  get sessions(): ServerHttp2Session[] {
    return Array.from(this.#watched.values(), ({ session }) => session);
  }

  add(session: ServerHttp2Session): void {
    const watched: Watched = {
      session,
      timeToGo: this.#departure.timeToGo(),
      retired: false,
      lastStream: 0,
      lastSign: this.#clock.monotonic(),
      window: USUAL_WINDOW,
      widenedTo: USUAL_WINDOW,
      waitsForPongSince: undefined,
      taken: 0,
      refused: 0,
      refusals: new TokenBucket(this.#clock, this.#limits.resetBurst, this.#limits.resetsPerSecond),
    };
    this.#watched.set(session, watched);
    session.on("close", () => this.#watched.delete(session));
    this.#rounds.start();
    this.#retireIfDue(watched);
  }

  /** A stream became a call, or was reset by its peer before that. */
  took(session: Http2Session | undefined): void {
    const watched = session && this.#watched.get(session);
    if (watched) watched.taken++;
  }

  /** Asks those that have to go now, without waiting for the next look. */
  retire(): void {
    for (const watched of this.#watched.values()) this.#retireIfDue(watched);
  }

  #retireIfDue(watched: Watched): void {
    if (watched.retired || !this.#departure.due(watched.timeToGo)) return;
    watched.retired = true;
    retireSession(watched.session, this.#clock);
  }

  #look(now: number): boolean {
    for (const watched of this.#watched.values()) this.#lookAt(watched, now);
    for (const answer of this.answers) answer.cutStalled(now);
    return this.#watched.size > 0;
  }

  #lookAt(watched: Watched, now: number): void {
    const { session } = watched;
    this.#retireIfDue(watched);
    const { lastProcStreamID: lastStream = 0, remoteWindowSize: window = 0 } = session.state;
    if (this.#refusesTooMany(watched, lastStream)) {
      session.destroy(new Error("too many resets"), ENHANCE_YOUR_CALM);
      return;
    }
    const called = lastStream !== watched.lastStream;
    // Wider: the peer has said so. Narrower: it has read so much that the socket took more.
    const alive = called || window !== watched.window;
    if (window > watched.window) watched.widenedTo = window;
    watched.lastStream = lastStream;
    watched.window = window;
    if (watched.waitsForPongSince !== undefined) {
      if (alive) watched.waitsForPongSince = now;
      else if (now - watched.waitsForPongSince >= this.#answerMs(watched)) session.destroy();
      return;
    }
    if (called) {
      watched.lastSign = now;
      return;
    }
    if (now - watched.lastSign < this.#limits.pingAfterMs) return;
    // A full queue of frames that the peer does not read: Node takes no PING then, and nothing is proven.
    const sent = !session.destroyed && session.ping(() => this.#answered(watched));
    if (sent) watched.waitsForPongSince = now;
  }

  /**
   * How long the peer may be silent with a PING before it. A PING stands behind what was sent before, and a peer with
   * huge windows may have megabytes to read first.
   */
  #answerMs({ window, widenedTo }: Watched): number {
    const { pingAnswerMs } = this.#limits;
    return widenedTo - window > USUAL_WINDOW ? Math.max(pingAnswerMs, STALLED_WRITE_MS) : pingAnswerMs;
  }

  /**
   * Node says nothing of streams that it resets itself because their header list is too large, and nghttp2 counts only
   * those that the peer resets, and its mistakes. So the ids of all streams that it has begun are compared with those
   * that were taken; ids that a peer skips, which none does, count too.
   */
  #refusesTooMany(watched: Watched, lastStream: number): boolean {
    const refused = Math.ceil(lastStream / 2) - watched.taken;
    for (; watched.refused < refused; watched.refused++) if (!watched.refusals.take()) return true;
    return false;
  }

  #answered(watched: Watched): void {
    watched.waitsForPongSince = undefined;
    watched.widenedTo = watched.window;
    watched.lastSign = this.#clock.monotonic() + (QUIET_FACTOR - 1) * this.#limits.pingAfterMs;
  }
}
