import { describe, expect, it } from "vitest";
import { ConnectionError, ErrorCode, FRAME_HEADER_BYTES } from "../../../src/listen/http2/frame.ts";
import { settingsFrame } from "../../../src/listen/http2/frame-writer.ts";
import { ownSettings, PeerSettings, Setting } from "../../../src/listen/http2/settings.ts";
import { DEFAULT_LISTENER_LIMITS } from "../../../src/listen/limits.ts";

/** What a peer is known to want after this SETTINGS frame. */
function announced(...settings: [id: number, value: number][]): PeerSettings {
  const peer = new PeerSettings();
  const frame = settingsFrame(settings);
  peer.read(frame, FRAME_HEADER_BYTES, frame.length);
  return peer;
}

function refusal(...settings: [id: number, value: number][]): number | undefined {
  try {
    announced(...settings);
    return undefined;
  } catch (error) {
    return error instanceof ConnectionError ? error.code : -1;
  }
}

describe("PeerSettings", () => {
  it("begins with what the RFC begins with", () => {
    expect(announced()).toMatchObject({ initialWindow: 65_535 });
  });

  it("takes the last value of a setting, and ignores settings that it does not know", () => {
    const peer = announced([Setting.INITIAL_WINDOW_SIZE, 1], [0xabc, 7], [Setting.INITIAL_WINDOW_SIZE, 2]);
    expect(peer.initialWindow).toBe(2);
  });

  it("tells when the peer has made its header table smaller, if only for a moment (RFC 7541 §4.2)", () => {
    const peer = new PeerSettings();
    const smaller = (...sizes: number[]) => {
      const frame = settingsFrame(sizes.map((size) => [Setting.HEADER_TABLE_SIZE, size]));
      return peer.read(frame, FRAME_HEADER_BYTES, frame.length);
    };
    expect([smaller(), smaller(4_096), smaller(8_192)]).toEqual([false, false, false]);
    expect([smaller(4_096), smaller(4_096)]).toEqual([true, false]);
    expect([smaller(0, 4_096), smaller(5_000)]).toEqual([true, false]);
  });

  it.each([
    ["ENABLE_PUSH", 2, ErrorCode.PROTOCOL_ERROR],
    ["INITIAL_WINDOW_SIZE", 2 ** 31, ErrorCode.FLOW_CONTROL_ERROR],
    ["MAX_FRAME_SIZE", 16_383, ErrorCode.PROTOCOL_ERROR],
    ["MAX_FRAME_SIZE", 2 ** 24, ErrorCode.PROTOCOL_ERROR],
  ] as const)("refuses %s of %i (RFC 9113 §6.5.2)", (name, value, code) => {
    expect(refusal([Setting[name], value])).toBe(code);
    expect(refusal([Setting[name], name === "MAX_FRAME_SIZE" ? 16_384 : 1])).toBeUndefined();
  });

  it("refuses a piece of a setting, and more settings than anyone needs", () => {
    expect(() => new PeerSettings().read(Buffer.alloc(7), 0, 7)).toThrow("a piece of a setting");
    const one: [number, number] = [Setting.INITIAL_WINDOW_SIZE, 1];
    expect(refusal(...Array(32).fill(one))).toBeUndefined();
    expect(refusal(...Array(33).fill(one))).toBe(ErrorCode.ENHANCE_YOUR_CALM);
  });
});

describe("ownSettings()", () => {
  it("announces the limits that hold, and that priorities are not heeded", () => {
    const frame = ownSettings(DEFAULT_LISTENER_LIMITS);
    const entries = Array.from({ length: (frame.length - FRAME_HEADER_BYTES) / 6 }, (_, at) => [
      frame.readUInt16BE(FRAME_HEADER_BYTES + 6 * at),
      frame.readUInt32BE(FRAME_HEADER_BYTES + 6 * at + 2),
    ]);
    expect(entries).toEqual([
      [3, 100],
      [6, 16_384],
      [9, 1],
    ]);
  });
});
