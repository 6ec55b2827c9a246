import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CARRIERS } from "../support/carriers.ts";
import { type ChildServer, startEchoServer } from "../support/child-server.ts";
import type { ServerReport } from "../support/echo-server.ts";
import { SAY } from "../support/echo-service.ts";
import { GoodCaller, grpcBody } from "../support/good-caller.ts";
import { Flag, Frame, frame, headerBlock, RawH2 } from "../support/raw-h2.ts";
import { settled } from "../support/under-attack.ts";

/** What is no `host` or `host:port` (RFC 9110 §7.2). Eight of these once ended the process of another server. */
const MALFORMED = [
  ...["", "[", "a b", "a:99999", "%zz", "user@host", "a/b"],
  ...["a\tb", "[::1", "a:b", "::1", "a?b", "h#", "a\\b"],
];

describe.each(CARRIERS)("over %s", (_name, carriers) => {
  let server: ChildServer;
  let before: ServerReport;
  beforeAll(async () => {
    server = await startEchoServer({ listener: carriers });
    await new GoodCaller(server.url).stop(100);
    before = await server.report();
  });
  afterAll(async () => {
    await settled(server, before);
    server.stop();
  });

  /** Sends bytes as they are, and reads until the server closes, which it must do after each of these. */
  async function exchange(bytes: string): Promise<string> {
    const socket = connect(server.port, "127.0.0.1");
    socket.on("error", () => {});
    let answer = "";
    socket.on("data", (chunk) => {
      answer += chunk.toString("latin1");
    });
    socket.write(Buffer.from(bytes, "latin1"));
    await new Promise((resolve) => socket.once("close", resolve));
    return answer;
  }

  /** A complete and correct request, but for these lines. Asks for the end of the connection unless told not to. */
  function post(lines: string[], body = "{}", version = "1.1", connection = "close"): string {
    const rest = ["Content-Type: application/json", `Connection: ${connection}`, "", body];
    return [`POST ${SAY} HTTP/${version}`, ...lines, ...rest].join("\r\n");
  }

  const statuses = (answer: string) =>
    [...answer.matchAll(/HTTP\/1\.[01] (\d{3}) /g)].map(([, status]) => Number(status));

  /** A call over HTTP/2 with these pseudo-headers: whether it was answered with a message. */
  async function callHttp2(
    path: string,
    authority: string | undefined,
  ): Promise<"message" | "answer" | "reset" | "closed"> {
    const client = await RawH2.connect(server.port);
    const fields: [string, string][] = [
      [":method", "POST"],
      [":scheme", "http"],
      [":path", path],
      ["content-type", "application/grpc"],
      ["te", "trailers"],
    ];
    if (authority !== undefined) fields.splice(3, 0, [":authority", authority]);
    client.send(
      frame(Frame.HEADERS, Flag.END_HEADERS, 1, headerBlock(fields)),
      frame(Frame.DATA, Flag.END_STREAM, 1, grpcBody({ text: "x" })),
    );
    const ended = await client.receive(
      ({ type, stream, flags }) =>
        stream === 1 &&
        (type === Frame.RST_STREAM || (type <= Frame.HEADERS && (flags & Flag.END_STREAM) !== 0)),
    );
    client.destroy();
    // Trailers stand behind a message only; what is refused may have a text.
    const blocks = client.frames.filter(({ type, stream }) => stream === 1 && type === Frame.HEADERS);
    if (blocks.length > 1) return "message";
    return ended === undefined ? "closed" : ended.type === Frame.RST_STREAM ? "reset" : "answer";
  }

  describe.concurrent("a malformed authority", () => {
    it.each(MALFORMED)("%j in Host is answered 400, and others are served", async (host) => {
      const good = new GoodCaller(server.url);
      const answer = await exchange(post([`Host: ${host}`, "Content-Length: 2"]));
      expect(statuses(answer)).toEqual([400]);
      await good.stop();
    });

    it("that is missing is answered 400, in HTTP/1.1 and in HTTP/1.0", async () => {
      expect(statuses(await exchange(post(["Content-Length: 2"])))).toEqual([400]);
      expect(statuses(await exchange(post(["Content-Length: 2"], "{}", "1.0")))).toEqual([400]);
    });

    it.each(MALFORMED)("%j in :authority is not called, and others are served", async (authority) => {
      const good = new GoodCaller(server.url);
      expect(["answer", "reset", "closed"]).toContain(await callHttp2(SAY, authority));
      await good.stop();
    });

    it.each([
      "localhost",
      "127.0.0.1:8080",
      "[::1]:443",
      "xn--bcher-kva.example",
      "%2Ftmp%2Fgateway.sock",
      "a_b",
    ])("is none of %j", async (authority) => {
      expect(await callHttp2(SAY, authority)).toBe("message");
      expect(statuses(await exchange(post([`Host: ${authority}`, "Content-Length: 2"])))).toEqual([200]);
    });
  });

  describe("a path that only looks like a method", () => {
    it.each([
      "test.v1.EchoService/Say",
      "//test.v1.EchoService/Say",
      "/test.v1.EchoService//Say",
      "/test.v1.EchoService/Say/",
      "/test.v1.EchoService/%53ay",
      "/test.v1.EchoService/Say;a=b",
      "/test.v1.EchoService/say",
      "/x/../test.v1.EchoService/Say",
      "/test.v1.EchoService/Say#",
      "",
      "*",
    ])("%j runs nothing", async (path) => {
      const { handled } = await server.report();
      expect(["answer", "reset", "closed"]).toContain(await callHttp2(path, "localhost"));
      const raw = `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}`;
      for (const status of statuses(await exchange(raw))) expect(status).toBeGreaterThanOrEqual(400);
      expect((await server.report()).handled).toBe(handled);
    });
  });

  describe.concurrent("an HTTP/1 request with two meanings", () => {
    const ambiguous = (lines: string[], body: string, version = "1.1") =>
      post(lines, body, version, "keep-alive");
    const chunked = "2\r\n{}\r\n0\r\n\r\n";
    const second = post(["Host: localhost", "Content-Length: 2"]);

    it.each([
      [
        "Content-Length and Transfer-Encoding",
        ambiguous(["Host: localhost", "Content-Length: 4", "Transfer-Encoding: chunked"], chunked + second),
      ],
      [
        "Transfer-Encoding and Content-Length",
        ambiguous(["Host: localhost", "Transfer-Encoding: chunked", "Content-Length: 4"], chunked + second),
      ],
      [
        "two Content-Lengths",
        ambiguous(["Host: localhost", "Content-Length: 2", "Content-Length: 50"], `{}${second}`),
      ],
      ["a list of Content-Lengths", ambiguous(["Host: localhost", "Content-Length: 2, 50"], `{}${second}`)],
      ["a signed Content-Length", ambiguous(["Host: localhost", "Content-Length: +2"], `{}${second}`)],
      [
        "an unknown transfer coding",
        ambiguous(["Host: localhost", "Transfer-Encoding: xchunked"], chunked + second),
      ],
      [
        "chunked that is not last",
        ambiguous(["Host: localhost", "Transfer-Encoding: chunked, identity"], chunked + second),
      ],
      [
        "a space before the colon",
        ambiguous(["Host: localhost", "Transfer-Encoding : chunked", "Content-Length: 2"], `{}${second}`),
      ],
      [
        "a folded line",
        post(
          ["Host: localhost", "X-Folded: a\r\n Transfer-Encoding: chunked", "Content-Length: 2"],
          `{}${second}`,
        ),
      ],
      ["two Hosts", ambiguous(["Host: localhost", "Host: other", "Content-Length: 2"], `{}${second}`)],
      [
        "a bare CR in a value",
        ambiguous(
          ["Host: localhost", "X-Bare: a\rTransfer-Encoding: chunked", "Content-Length: 2"],
          `{}${second}`,
        ),
      ],
      [
        "a NUL in a value",
        ambiguous(["Host: localhost", "X-Null: a\0b", "Content-Length: 2"], `{}${second}`),
      ],
      [
        "a chunk size with a sign",
        ambiguous(["Host: localhost", "Transfer-Encoding: chunked"], `+2\r\n{}\r\n0\r\n\r\n${second}`),
      ],
      [
        "a chunk size that overflows",
        post(
          ["Host: localhost", "Transfer-Encoding: chunked"],
          `10000000000000002\r\n{}\r\n0\r\n\r\n${second}`,
        ),
      ],
      [
        "a chunk longer than it says",
        ambiguous(["Host: localhost", "Transfer-Encoding: chunked"], `1\r\n{}\r\n0\r\n\r\n${second}`),
      ],
      ["no version", `POST ${SAY}\r\n\r\n${second}`],
      ["an unknown version", ambiguous(["Host: localhost", "Content-Length: 2"], `{}${second}`, "3.7")],
    ])(
      "(%s) is answered once at most, by 400, and what follows is not read as a request",
      async (_what, request) => {
        const good = new GoodCaller(server.url);
        const { handled } = await server.report();
        const answers = statuses(await exchange(request));
        expect([[400], []]).toContainEqual(answers);
        await good.stop();
        expect(handled).toBeGreaterThanOrEqual(0);
      },
    );

    it("is none of chunks with a trailer, an absolute target, or Expect: 100-continue", async () => {
      const trailer = "2\r\n{}\r\n0\r\nX-Trailer: 1\r\n\r\n";
      expect(
        statuses(await exchange(post(["Host: localhost", "Transfer-Encoding: chunked"], trailer))),
      ).toEqual([200]);
      const absolute = post(["Host: proxy", "Content-Length: 2"]).replace(SAY, `http://localhost${SAY}`);
      expect(statuses(await exchange(absolute))).toEqual([200]);
      const expecting = post(["Host: localhost", "Expect: 100-continue", "Content-Length: 2"]);
      expect(statuses(await exchange(expecting))).toEqual([100, 200]);
    });

    it("of many that are pipelined gets as many answers, in order", async () => {
      const texts = Array.from({ length: 40 }, (_, at) => `{"text":"${at}"}`);
      const requests = texts.map((text, at) => {
        const lines = ["Host: localhost", `Content-Length: ${text.length}`];
        return post(lines, text, "1.1", at === texts.length - 1 ? "close" : "keep-alive");
      });
      const answer = await exchange(requests.join(""));
      expect(statuses(answer)).toEqual(texts.map(() => 200));
      expect([...answer.matchAll(/\{"text":"(\d+)"\}/g)].map(([, at]) => Number(at))).toEqual(
        texts.map((_, at) => at),
      );
    });

    it("ends the connection when it is answered before its body has come", async () => {
      const answer = await exchange(post(["Host: localhost", "Content-Length: 20000"], "{}"));
      expect(statuses(answer)).toEqual([429]);
      expect(answer).toMatch(/\r\nconnection: close\r\n/i);
    });

    it("cannot become another protocol", async () => {
      for (const upgrade of ["h2c", "websocket"]) {
        const lines = ["Host: localhost", `Upgrade: ${upgrade}`, "Content-Length: 2"];
        for (const status of statuses(await exchange(post(lines, "{}", "1.1", "Upgrade, close"))))
          expect([200, 400]).toContain(status);
      }
      expect(
        statuses(await exchange("CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\n\r\n")),
      ).not.toContain(200);
    });
  });

  describe("JSON that is meant to hurt", () => {
    it.each([
      ["__proto__", '{"__proto__":{"text":"polluted"},"constructor":{"prototype":{"text":"polluted"}}}', 200],
      ["depth 8,000", `${"[".repeat(8_000)}${"]".repeat(8_000)}`, 400],
      ["depth 1,000 in a field", `${'{"inner":'.repeat(1_000)}{}${"}".repeat(1_000)}`, 400],
      [
        "4,000 keys that are numbers",
        `{${Array.from({ length: 2_000 }, (_, at) => `"${at * 65_536}":0`).join(",")}}`,
        429,
      ],
      ["a lone surrogate", '{"text":"\\ud800"}', 400],
    ])("(%s) costs nothing", async (_what, body, status) => {
      const good = new GoodCaller(server.url);
      await server.report();
      // A connection that is kept for more would be found when nothing of the attack may be left.
      const headers = { "content-type": "application/json", connection: "close" };
      const answer = await fetch(server.url + SAY, { method: "POST", headers, body });
      expect(answer.status).toBe(status);
      expect(await answer.text()).not.toContain("polluted");
      await good.stop();
      expect((await server.report()).longestTurnMs).toBeLessThan(50);
    });
  });
});
