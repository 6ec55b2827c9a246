import { describe, expect, it } from "vitest";
import { ChunkedBody } from "../../../src/lib/http1/chunked-body.ts";
import { Unread } from "../../../src/listen/http1/unread.ts";
import { DEFAULT_LISTENER_LIMITS } from "../../../src/listen/limits.ts";

/** Reads pieces one after the other: the data of each, how far the body is, and what is left behind it. */
function read(...pieces: string[]) {
  const body = new ChunkedBody(DEFAULT_LISTENER_LIMITS);
  const unread = new Unread();
  const data: string[] = [];
  for (const piece of pieces) {
    unread.push(Buffer.from(piece, "latin1"));
    data.push(body.read(unread)?.toString("latin1") ?? "");
  }
  const rest = unread.bytes.toString("latin1", unread.start, unread.end);
  return { data, progress: body.progress, rest };
}

describe("ChunkedBody", () => {
  it("gives the data of all chunks in a read as one piece, and leaves what comes after the body", () => {
    const chunks = "1\r\na\r\n2\r\nbc\r\n00A\r\n0123456789\r\n0\r\n\r\nGET /";
    expect(read(chunks)).toEqual({ data: ["abc0123456789"], progress: "complete", rest: "GET /" });
  });

  it("gives the same data wherever the bytes are cut", () => {
    const chunks = '3;a="\\"";b=c\r\nabc\r\n4\r\ndefg\r\n0;end\r\nX-Trailer: 1\r\n\r\n';
    for (let at = 1; at < chunks.length; at++) {
      const { data, progress, rest } = read(chunks.slice(0, at), chunks.slice(at));
      expect([data.join(""), progress, rest]).toEqual(["abcdefg", "complete", ""]);
    }
    expect(read(...chunks).data.join("")).toBe("abcdefg");
  });

  it("is complete without data", () => {
    expect(read("0\r\n\r\n")).toEqual({ data: [""], progress: "complete", rest: "" });
  });

  it.each([
    ["a sign", "+2\r\nab\r\n"],
    ["a minus", "-2\r\nab\r\n"],
    ["a prefix", "0x2\r\nab\r\n"],
    ["a blank in front", " 2\r\nab\r\n"],
    ["a blank behind", "2 \r\nab\r\n"],
    ["an underscore", "1_0\r\nab\r\n"],
    ["no size", "\r\nab\r\n"],
    ["no size but an extension", ";a\r\nab\r\n"],
    ["nine digits", "000000002\r\nab\r\n"],
    ["more than 64 bits", "10000000000000002\r\nab\r\n"],
    ["a bare LF behind the size", "2\nab\r\n"],
    ["a bare CR behind the size", "2\rab\r\n"],
    ["CR CR LF behind the size", "2\r\r\nab\r\n"],
    ["less data than it says", "3\r\nab\r\n0\r\n\r\n"],
    ["more data than it says", "1\r\nab\r\n0\r\n\r\n"],
    ["a bare LF behind the data", "2\r\nab\n0\r\n\r\n"],
    ["a bare CR behind the data", "2\r\nab\r0\r\n\r\n"],
    ["no line end behind the data", "2\r\nab0\r\n\r\n"],
    ["an extension without a name", "2;\r\nab\r\n"],
    ["an extension with a bad blank", "2; a=b\r\nab\r\n"],
    ["an extension without a value", "2;a=\r\nab\r\n"],
    ["an extension with a bare CR", "2;a\rb\r\nab\r\n"],
    ["an extension with a bare LF", "2;a\nb\r\nab\r\n"],
    ["an extension with a quote that is open", '2;a="\r\nab\r\n'],
    ["an extension with NUL", "2;a\0\r\nab\r\n"],
    ["a bare LF for the end", "0\r\n\n"],
    ["a trailer that is folded", "0\r\nA: b\r\n c\r\n\r\n"],
    ["a trailer without a colon", "0\r\nA\r\n\r\n"],
    ["a trailer with a blank before the colon", "0\r\nA : b\r\n\r\n"],
    ["a trailer with a bare CR", "0\r\nA: b\rC: d\r\n\r\n"],
    ["a trailer that frames", "0\r\nContent-Length: 5\r\n\r\n"],
    ["a trailer that frames in another way", "0\r\nTransfer-encoding: chunked\r\n\r\n"],
    ["a trailer that ends the connection, to which Node listens", "0\r\nConnection: close\r\n\r\n"],
    ["a trailer that changes the protocol", "0\r\nUpgrade: h2c\r\n\r\n"],
    ["a trailer that routes", "0\r\nHost: b\r\n\r\n"],
  ])("is broken by %s, as a whole and byte by byte", (_what, text) => {
    expect(read(text).progress).toBe("broken");
    expect(read(...text).progress).toBe("broken");
  });

  it("bears extensions up to a limit for the whole body", () => {
    const chunk = `1;${"x".repeat(99)}\r\na\r\n`;
    expect(read(chunk.repeat(10)).progress).toBe("more");
    expect(read(chunk.repeat(11)).progress).toBe("broken");
    expect(read(`1;${"x".repeat(1_024)}\r\n`).progress).toBe("broken");
  });

  it("bears trailers up to the limits of a header block", () => {
    const { headerListBytes, headerFields } = DEFAULT_LISTENER_LIMITS;
    const trailer = (length: number) => `X: ${"v".repeat(length - 3)}\r\n`;
    expect(read(`0\r\n${trailer(headerListBytes)}\r\n`).progress).toBe("complete");
    expect(read(`0\r\n${trailer(headerListBytes - 3)}X: 1\r\n\r\n`).progress).toBe("broken");
    expect(read(`0\r\n${"a:\r\n".repeat(headerFields)}\r\n`).progress).toBe("complete");
    expect(read(`0\r\n${"a:\r\n".repeat(headerFields + 1)}\r\n`).progress).toBe("broken");
  });

  it("waits for no line longer than one that may be right", () => {
    const open = (line: string) => [read(line).progress, read(...line).progress];
    expect(open("1".repeat(1_035))).toEqual(["broken", "broken"]);
    expect(open("2\r\nabc")).toEqual(["more", "more"]);
    expect(open("2\r\nabcde")).toEqual(["broken", "broken"]);
    expect(open(`0\r\n${"x".repeat(16_387)}`)).toEqual(["broken", "broken"]);
  });
});
