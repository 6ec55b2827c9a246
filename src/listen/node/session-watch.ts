import type { ServerHttp2Session } from "node:http2";
import type { Clock, Timer } from "../../lib/clock.ts";
import type { Departure } from "../departure.ts";
import type { ListenerLimits } from "../limits.ts";
import { retireSession } from "./retire-session.ts";

/** What is known of one session. */
interface Watched {
  readonly session: ServerHttp2Session;
  readonly timeToGo: number;
  retired: boolean;
  /** The newest stream at the last look: whether a call has come since. A listener would cost every call. */
  lastStreamId: number | undefined;
  lastSign: number;
  pingSentAt: number | undefined;
}

/** How often the sessions are looked at while an answer to a PING may take its time. */
const LOOKS_PER_ANSWER = 20;

/** After a session has answered its first PING, quiet ones are asked this many times more rarely. */
const QUIET_FACTOR = 6;

/**
 * Asks quiet HTTP/2 sessions by PING whether they live, and destroys those that do not answer: a peer that is gone
 * without a word, and one that stops in the middle of a header block, a frame or the preface, for which Node has no
 * timer. Between HEADERS and its last CONTINUATION no other frame may be sent (RFC 9113 §6.10), so a peer that keeps
 * a header block open cannot answer. Asks those that have to go to do so.
 */
export class SessionWatch {
  readonly #clock: Clock;
  readonly #limits: ListenerLimits;
  readonly #departure: Departure;
  readonly #watched = new Set<Watched>();
  #timer: Timer | undefined;

  constructor(clock: Clock, limits: ListenerLimits, departure: Departure) {
    this.#clock = clock;
    this.#limits = limits;
    this.#departure = departure;
  }

  /** The sessions that are open now. */
  get sessions(): ServerHttp2Session[] {
    return Array.from(this.#watched, ({ session }) => session);
  }

  add(session: ServerHttp2Session): void {
    const watched: Watched = {
      session,
      timeToGo: this.#departure.timeToGo(),
      retired: false,
      lastStreamId: undefined,
      lastSign: this.#clock.monotonic(),
      pingSentAt: undefined,
    };
    this.#watched.add(watched);
    session.on("close", () => this.#watched.delete(watched));
    this.#timer ??= this.#later();
    this.#retireIfDue(watched);
  }

  /** Asks those that have to go now, without waiting for the next look. */
  retire(): void {
    for (const watched of this.#watched) this.#retireIfDue(watched);
  }

  #retireIfDue(watched: Watched): void {
    if (watched.retired || !this.#departure.due(watched.timeToGo)) return;
    watched.retired = true;
    retireSession(watched.session, this.#clock);
  }

  #later(): Timer {
    return this.#clock.setTimer(this.#limits.pingAnswerMs / LOOKS_PER_ANSWER, () => this.#look());
  }

  #look(): void {
    const now = this.#clock.monotonic();
    for (const watched of this.#watched) this.#lookAt(watched, now);
    this.#timer = this.#watched.size > 0 ? this.#later() : undefined;
  }

  #lookAt(watched: Watched, now: number): void {
    const { session } = watched;
    this.#retireIfDue(watched);
    if (watched.pingSentAt !== undefined) {
      if (now - watched.pingSentAt >= this.#limits.pingAnswerMs) session.destroy();
      return;
    }
    const { lastProcStreamID } = session.state;
    if (lastProcStreamID !== watched.lastStreamId) {
      watched.lastStreamId = lastProcStreamID;
      watched.lastSign = now;
      return;
    }
    if (now - watched.lastSign < this.#limits.pingAfterMs) return;
    // A full queue of frames that the peer does not read: Node takes no PING then, and nothing is proven.
    const sent = !session.destroyed && session.ping(() => this.#answered(watched));
    if (sent) watched.pingSentAt = now;
  }

  #answered(watched: Watched): void {
    watched.pingSentAt = undefined;
    watched.lastSign = this.#clock.monotonic() + (QUIET_FACTOR - 1) * this.#limits.pingAfterMs;
  }
}
