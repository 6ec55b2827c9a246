import { afterEach, describe, expect, it } from "vitest";
import { type Listener, startListener } from "../../src/listen/listener.ts";
import { isSameAuthority } from "../../src/listen/same-authority.ts";
import { HTTP2_NAMES } from "../support/carriers.ts";
import { Flag, Frame, frame, headerBlock, RawH2 } from "../support/raw-h2.ts";

describe("isSameAuthority()", () => {
  it.each([
    ["a", "a", "http"],
    ["A.Example", "a.example", "https"],
    ["a:80", "a", "http"],
    ["a", "a:443", "HTTPS"],
    ["a:", "a", "https"],
    ["[::1]:80", "[::1]", "http"],
    ["%2Ftmp", "%2ftmp", "http"],
  ])("%s is %s in %s", (host, authority, scheme) => {
    expect(isSameAuthority(host, authority, scheme)).toBe(true);
  });

  it.each([
    ["a", "b", "http"],
    ["a:80", "a", "https"],
    ["a:443", "a", "http"],
    ["a:8080", "a", "http"],
    ["a:8080", "a:8081", "http"],
    ["[::80]", "[:]", "http"],
    ["", "a", "http"],
    ["a.", "a", "http"],
  ])("%s is not %s in %s", (host, authority, scheme) => {
    expect(isSameAuthority(host, authority, scheme)).toBe(false);
  });
});

describe.each(HTTP2_NAMES)("a call over %s HTTP/2", (http2) => {
  let listener: Listener | undefined;
  let client: RawH2 | undefined;
  afterEach(async () => {
    client?.destroy();
    await listener?.close();
  });

  /** The authority at which a call with these fields is served, or the code by which it is reset. */
  async function outcome(...fields: [name: string, value: string][]): Promise<string | number | undefined> {
    let authority: string | undefined;
    listener = await startListener({ listen: "127.0.0.1:0", http2 }, (call) => {
      authority = call.authority;
      call.receive({ data() {}, complete: () => call.answer(204, {}), drained() {}, closed() {} });
    });
    client = await RawH2.connect(Number(listener.address.split(":").at(-1)));
    const block = headerBlock([[":method", "POST"], [":scheme", "http"], [":path", "/"], ...fields]);
    client.send(frame(Frame.HEADERS, Flag.END_HEADERS | Flag.END_STREAM, 1, block));
    const end = await client.receive(
      ({ type, stream }) => stream === 1 && (type === Frame.HEADERS || type === Frame.RST_STREAM),
    );
    return end?.type === Frame.RST_STREAM ? end.payload.readUInt32BE() : authority;
  }

  const PROTOCOL_ERROR = 1;

  it("is at its :authority, Host or no Host beside it", async () => {
    expect(await outcome([":authority", "a"])).toBe("a");
    await listener?.close();
    expect(await outcome([":authority", "a"], ["host", "a"])).toBe("a");
    await listener?.close();
    expect(await outcome([":authority", "a.example:80"], ["host", "A.Example"])).toBe("a.example:80");
  });

  it("is at its Host where there is no :authority", async () => {
    expect(await outcome(["host", "a:1"])).toBe("a:1");
  });

  it("is malformed when its Host is another", async () => {
    expect(await outcome([":authority", "a"], ["host", "b"])).toBe(PROTOCOL_ERROR);
  });

  it("is malformed with two Hosts, whatever they say", async () => {
    expect(await outcome([":authority", "a"], ["host", "a"], ["host", "a"])).toBe(PROTOCOL_ERROR);
  });
});
