import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AnswerReader } from "../../../src/upstream/http1/answer-reader.ts";

/** Reads pieces one after the other: what came of them, and whether the end of the connection would be the answer's. */
function read(...pieces: (string | Buffer)[]) {
  let data = "";
  let heads = 0;
  const reader = new AnswerReader({
    onHead: () => heads++,
    onData: (piece) => {
      data += piece.toString("latin1");
    },
  });
  // As a socket does: each piece lies where the last one lay.
  const buffer = Buffer.alloc(65_536);
  let progress: ReturnType<AnswerReader["read"]> = "more";
  for (const piece of pieces) {
    if (progress !== "more") throw new Error("there is more after the end");
    const bytes = typeof piece === "string" ? Buffer.from(piece, "latin1") : piece;
    buffer.fill(0x5a);
    bytes.copy(buffer);
    progress = reader.read(buffer, bytes.length);
  }
  const { status, headers, keepAliveMs } = reader.head ?? {};
  const { endsHere, extraBytes } = reader;
  return { progress, status, headers, keepAliveMs, data, heads, endsHere, extraBytes };
}

const OK = "HTTP/1.1 200 OK\r\n";

describe("AnswerReader", () => {
  it("reads a body of the length that is said, and knows what is not part of it", () => {
    expect(read(`${OK}Content-Length: 2\r\nX-Two: a\r\nx-two: b\r\n\r\n{}`)).toMatchObject({
      progress: "complete",
      status: 200,
      headers: { "content-length": "2", "x-two": "a, b" },
      data: "{}",
      extraBytes: 0,
    });
    expect(read(`${OK}content-length: 2\r\n\r\n{}HTTP`)).toMatchObject({ data: "{}", extraBytes: 4 });
    expect(read(`${OK}content-length: 3\r\n\r\n{}`)).toMatchObject({ progress: "more", endsHere: false });
  });

  it("reads chunks, and leaves their trailers", () => {
    const answer = `${OK}transfer-encoding: Chunked\r\n\r\n2;a=b\r\n{}\r\n1\r\n \r\n0\r\nx: y\r\n\r\n`;
    expect(read(answer)).toMatchObject({ progress: "complete", data: "{} ", extraBytes: 0 });
  });

  it("reads to the end of the connection where nothing else says where the body ends", () => {
    const answer = read(`${OK}content-type: text/plain\r\n\r\nab`, "c");
    expect(answer).toMatchObject({ progress: "more", data: "abc", endsHere: true, keepAliveMs: 0 });
  });

  it.each([204, 304])("expects no body with status %i, whatever is said of one", (status) => {
    const answer = read(`HTTP/1.1 ${status} X\r\ncontent-length: 5\r\n\r\n`);
    expect(answer).toMatchObject({ progress: "complete", status, data: "", extraBytes: 0 });
  });

  it("passes over informational heads, and takes none for a change of protocol", () => {
    const early = "HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n";
    const answer = read(`HTTP/1.1 100 Continue\r\n\r\n${early}${OK}content-length: 0\r\n\r\n`);
    expect(answer).toMatchObject({ progress: "complete", status: 200, heads: 1 });
    expect(read("HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n").progress).toBe("malformed");
  });

  it.each([
    ["nothing", "", undefined],
    ["connection: close", "connection: Keep-Alive, CLOSE\r\n", 0],
    ["keep-alive: timeout=60", "keep-alive: max=5, timeout=60\r\n", 58_000],
    ["keep-alive: timeout=2", "keep-alive: timeout=2\r\n", 0],
  ])("tells how long the connection may be kept: %s", (_, lines, keepAliveMs) => {
    expect(read(`${OK}${lines}content-length: 0\r\n\r\n`).keepAliveMs).toBe(keepAliveMs);
  });

  it("keeps no connection of HTTP/1.0, and takes no chunks from it", () => {
    expect(read("HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 0\r\n\r\n").keepAliveMs).toBe(
      0,
    );
    expect(read("HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").progress).toBe("malformed");
  });

  it.each([
    ["another protocol", "SSH-2.0-OpenSSH_9.6\r\n"],
    ["another version", "HTTP/2.0 200 OK\r\n\r\n"],
    ["a status of two digits", "HTTP/1.1 20 OK\r\n\r\n"],
    ["a status of four digits", "HTTP/1.1 2000 OK\r\n\r\n"],
    ["a status below 100", "HTTP/1.1 099 OK\r\n\r\n"],
    ["a bare LF behind the status", "HTTP/1.1 200 OK\ncontent-length: 0\r\n\r\n"],
    ["a NUL in the reason", "HTTP/1.1 200 O\0K\r\n\r\n"],
    ["an empty line in front", `\r\n${OK}content-length: 0\r\n\r\n`],
    ["two lengths", `${OK}content-length: 2\r\ncontent-length: 2\r\n\r\n{}`],
    ["a list of lengths", `${OK}content-length: 2, 2\r\n\r\n{}`],
    ["a signed length", `${OK}content-length: +2\r\n\r\n{}`],
    ["length and chunks", `${OK}content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n`],
    ["another coding", `${OK}transfer-encoding: gzip, chunked\r\n\r\n`],
    ["a folded line", `${OK}x: a\r\n b\r\ncontent-length: 0\r\n\r\n`],
    ["a bare LF in the header block", `${OK}x: a\ncontent-length: 0\r\n\r\n`],
    ["a blank in front of the colon", `${OK}content-length : 0\r\n\r\n`],
    ["a chunk without a size", `${OK}transfer-encoding: chunked\r\n\r\nx\r\n`],
    ["17 KiB of headers", `${OK}x: ${"y".repeat(17_000)}\r\n\r\n`],
    ["1,001 headers", `${OK}${"x: y\r\n".repeat(1_001)}\r\n`],
    ["a line without an end", "x".repeat(33_000)],
  ])("is told apart from %s", (_, bytes) => {
    expect(read(bytes).progress).toBe("malformed");
  });

  it("reads the same wherever the bytes are cut", () => {
    const heads = `HTTP/1.1 100 Continue\r\n\r\n${OK}date: x\r\n`;
    const answers = [
      `${heads}content-length: 5\r\n\r\nabcde`,
      `${heads}transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n`,
    ];
    for (const answer of answers) {
      const whole = read(answer);
      expect(whole).toMatchObject({ progress: "complete", data: "abcde" });
      for (let at = 1; at < answer.length; at++)
        expect(read(answer.slice(0, at), answer.slice(at))).toEqual(whole);
      expect(read(...answer)).toEqual(whole);
    }
  });

  it("reads one answer after another", () => {
    fc.assert(
      fc.property(fc.array(fc.string({ maxLength: 40 }), { minLength: 1, maxLength: 5 }), (bodies) => {
        let data = "";
        const reader = new AnswerReader({
          onHead() {},
          onData: (piece) => {
            data += piece.toString();
          },
        });
        for (const body of bodies) {
          data = "";
          reader.reset();
          const bytes = Buffer.from(`${OK}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
          expect(reader.read(bytes, bytes.length)).toBe("complete");
          expect(data).toBe(body);
        }
      }),
    );
  });
});
