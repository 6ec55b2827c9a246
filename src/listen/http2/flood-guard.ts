import type { Clock } from "../../lib/clock.ts";
import type { ListenerLimits } from "../limits.ts";
import { ConnectionError, ErrorCode } from "./frame.ts";
import { TokenBucket } from "./token-bucket.ts";

/**
 * How many frames that bring no call forward (PING, SETTINGS, PRIORITY, WINDOW_UPDATE, empty DATA, frames of closed
 * streams and of unknown types) a peer may send in a burst, and then per second. It earns more by what such frames
 * belong to: gRPC's clients send a PING with nearly every answer, and window updates for each piece of it.
 */
const IDLE_FRAMES_BURST = 2_000;
const IDLE_FRAMES_PER_SECOND = 200;
const IDLE_FRAMES_PER_STREAM = 8;
const IDLE_FRAMES_PER_DATA = 4;

/**
 * Ends a connection whose peer makes work by frames that are cheap for itself: rapid reset (CVE-2023-44487), streams
 * that make the server reset them (CVE-2025-8671), and the floods of CVE-2019-9512 to 9518.
 */
export class FloodGuard {
  readonly #resets: TokenBucket;
  readonly #idleFrames: TokenBucket;

  constructor(clock: Clock, { resetBurst, resetsPerSecond }: ListenerLimits) {
    this.#resets = new TokenBucket(clock, resetBurst, resetsPerSecond);
    this.#idleFrames = new TokenBucket(clock, IDLE_FRAMES_BURST, IDLE_FRAMES_PER_SECOND);
  }

  /** The peer reset a stream, or made the gateway do so. @throws ConnectionError */
  reset(): void {
    if (!this.#resets.take()) throw new ConnectionError(ErrorCode.ENHANCE_YOUR_CALM, "too many resets");
  }

  /** A frame came that brings no call forward. @throws ConnectionError */
  idleFrame(): void {
    if (!this.#idleFrames.take())
      throw new ConnectionError(ErrorCode.ENHANCE_YOUR_CALM, "too many frames that bring nothing");
  }

  /** A call was opened. */
  opened(): void {
    this.#idleFrames.give(IDLE_FRAMES_PER_STREAM);
  }

  /** A piece of an answer has left. */
  sentData(): void {
    this.#idleFrames.give(IDLE_FRAMES_PER_DATA);
  }
}
