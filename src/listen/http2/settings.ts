import type { ListenerLimits } from "../limits.ts";
import { ConnectionError, DEFAULT_WINDOW, ErrorCode, FRAME_PAYLOAD_BYTES, MAX_31_BITS } from "./frame.ts";
import { settingsFrame } from "./frame-writer.ts";
import { DEFAULT_TABLE_BYTES } from "./hpack-decoder.ts";

/** Identifiers of settings (RFC 9113 §6.5.2, RFC 9218 §2.1). */
export const Setting = {
  HEADER_TABLE_SIZE: 1,
  ENABLE_PUSH: 2,
  MAX_CONCURRENT_STREAMS: 3,
  INITIAL_WINDOW_SIZE: 4,
  MAX_FRAME_SIZE: 5,
  MAX_HEADER_LIST_SIZE: 6,
  NO_RFC7540_PRIORITIES: 9,
} as const;

const SETTING_BYTES = 6;

/** Settings in one frame: there are a dozen known ones, and no reason to repeat any. */
const SETTINGS_MAX = 32;

/** What the gateway announces. Everything else is what the RFC begins with; a server has nothing to say about push. */
export function ownSettings(limits: ListenerLimits): Buffer {
  return settingsFrame([
    [Setting.MAX_CONCURRENT_STREAMS, limits.streamsPerSession],
    [Setting.MAX_HEADER_LIST_SIZE, limits.headerListBytes],
    [Setting.NO_RFC7540_PRIORITIES, 1],
  ]);
}

/**
 * What a peer has announced, as far as a server has to heed it. Frames are sent no larger than every peer bears, so
 * its largest is only checked; the size of a header list is advice (RFC 9113 §6.5.2), and an answer has no shorter one.
 */
export class PeerSettings {
  initialWindow = DEFAULT_WINDOW;
  #headerTableBytes = DEFAULT_TABLE_BYTES;

  /**
   * Reads the payload of a SETTINGS frame. True: the peer has made its header table smaller, if only for a moment,
   * and wants to be told that ours is (RFC 7541 §4.2).
   *
   * @throws ConnectionError for a value that is not allowed.
   */
  read(bytes: Buffer, start: number, end: number): boolean {
    if ((end - start) % SETTING_BYTES !== 0)
      throw new ConnectionError(ErrorCode.FRAME_SIZE_ERROR, "SETTINGS with a piece of a setting");
    if (end - start > SETTINGS_MAX * SETTING_BYTES)
      throw new ConnectionError(ErrorCode.ENHANCE_YOUR_CALM, `more than ${SETTINGS_MAX} settings`);
    let smaller = false;
    for (let at = start; at < end; at += SETTING_BYTES) {
      const before = this.#headerTableBytes;
      this.#set(bytes.readUInt16BE(at), bytes.readUInt32BE(at + 2));
      if (this.#headerTableBytes < before) smaller = true;
    }
    return smaller;
  }

  #set(id: number, value: number): void {
    switch (id) {
      case Setting.HEADER_TABLE_SIZE:
        this.#headerTableBytes = value;
        break;
      case Setting.ENABLE_PUSH:
        if (value > 1) throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, "ENABLE_PUSH is 0 or 1");
        break;
      case Setting.INITIAL_WINDOW_SIZE:
        if (value > MAX_31_BITS)
          throw new ConnectionError(ErrorCode.FLOW_CONTROL_ERROR, "INITIAL_WINDOW_SIZE above 2^31-1");
        this.initialWindow = value;
        break;
      case Setting.MAX_FRAME_SIZE:
        if (value < FRAME_PAYLOAD_BYTES || value > 0xff_ffff)
          throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, "MAX_FRAME_SIZE is 2^14 to 2^24-1");
        break;
      default:
    }
  }
}
