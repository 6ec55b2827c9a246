import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import { DEFAULT_LISTENER_LIMITS } from "../../../src/listen/limits.ts";
import { type Listener, type ListenerOptions, startListener } from "../../../src/listen/listener.ts";
import type { TransportCall } from "../../../src/listen/transport.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { RawH1 } from "../../support/raw-h1.ts";

/** A call, and what its receiver has been told. */
class Opened {
  readonly call: TransportCall;
  readonly told: string[] = [];
  body = "";

  constructor(call: TransportCall) {
    this.call = call;
    call.receive({
      data: (chunk) => {
        this.body += chunk.toString("latin1");
      },
      complete: () => this.told.push("complete"),
      drained: () => this.told.push("drained"),
      closed: (answered) => this.told.push(answered ? "answered" : "gone"),
    });
  }
}

const POST = "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}";
const GET = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n";
const DATE = "date: Tue, 24 Nov 2026 00:16:40 GMT\r\n";
const STAYS = `${DATE}connection: keep-alive\r\nkeep-alive: timeout=75\r\n`;
const GOES = `${DATE}connection: close\r\n`;

describe("a connection of HTTP/1.1", () => {
  const ends: (() => unknown)[] = [];
  afterEach(() => Promise.all(ends.splice(0).map((end) => end())));

  async function serve(act: (opened: Opened) => void = () => {}, options: Partial<ListenerOptions> = {}) {
    const clock = new ManualClock();
    const calls: Opened[] = [];
    const listener: Listener = await startListener(
      { listen: "127.0.0.1:0", http1: "own", clock, random: () => 0.5, ...options },
      (call) => {
        const opened = new Opened(call);
        calls.push(opened);
        act(opened);
      },
    );
    const client = await RawH1.connect(Number(listener.address.split(":")[1]));
    ends.push(
      () => listener.close(),
      () => client.destroy(),
    );
    return { clock, calls, client, listener };
  }

  async function until(condition: () => boolean): Promise<void> {
    while (!condition()) await sleep(1);
  }

  const hello = ({ call }: Opened) =>
    call.answer(200, { "content-type": "text/plain" }, Buffer.from("hello"));
  const HELLO = `content-type: text/plain\r\n${STAYS}content-length: 5\r\n\r\nhello`;

  it("answers one request after the other", async () => {
    const { client, calls } = await serve(hello);
    for (const count of [1, 2]) {
      client.send(POST);
      await client.until(new RegExp(`(hello[\\s\\S]*){${count}}`));
    }
    expect(client.read).toBe(`HTTP/1.1 200 OK\r\n${HELLO}`.repeat(2));
    expect(
      calls.map(({ call }) => [call.verb, call.target, call.authority, call.secure, call.httpVersion]),
    ).toEqual(Array(2).fill(["POST", "/a", "h", false, "1.1"]));
    expect(calls[0]?.call.peer).toBe(`127.0.0.1:${client.socket.localPort}`);
    expect(calls.map(({ body, told }) => [body, ...told])).toEqual(
      Array(2).fill(["{}", "complete", "answered"]),
    );
  });

  it("tells a receiver everything after its call was opened, and each thing once", async () => {
    const order: string[] = [];
    const { client, calls } = await serve((opened) => {
      order.push(`opened:${opened.body}:${opened.told.join()}`);
    });
    client.send(POST);
    await until(() => calls[0]?.told.length === 1);
    expect(order).toEqual(["opened::"]);
    expect(calls[0]?.body).toBe("{}");
    calls[0]?.call.answer(200, {});
    calls[0]?.call.answer(500, {});
    calls[0]?.call.end();
    expect(calls[0]?.call.write(Buffer.from("x"))).toBe(true);
    await until(() => calls[0]?.told.length === 2);
    client.send(GET);
    await until(() => calls.length === 2);
    // A call that is over has nothing to say about the next one.
    calls[0]?.call.reset("CANCEL");
    calls[0]?.call.pause();
    if (calls[1]) hello(calls[1]);
    await client.until(/hello/);
    expect(client.read.match(/HTTP/g)).toHaveLength(2);
    expect(calls[0]?.told).toEqual(["complete", "answered"]);
  });

  it("sends no body and announces none where there may be none", async () => {
    const { client } = await serve(({ call }) =>
      call.answer(Number(call.target.slice(1)), {}, Buffer.from("body")),
    );
    client.send("HEAD /200 HTTP/1.1\r\nHost: h\r\n\r\n");
    client.send("GET /204 HTTP/1.1\r\nHost: h\r\n\r\n");
    client.send("GET /304 HTTP/1.1\r\nHost: h\r\n\r\n");
    await client.until(/304 Not Modified\r\n[\s\S]*\r\n\r\n/);
    expect(client.read).toBe(
      `HTTP/1.1 200 OK\r\n${STAYS}content-length: 4\r\n\r\n` +
        `HTTP/1.1 204 No Content\r\n${STAYS}\r\nHTTP/1.1 304 Not Modified\r\n${STAYS}\r\n`,
    );
  });

  it("streams in chunks, with trailers", async () => {
    const { client, calls } = await serve(({ call }) => call.begin(200, { a: "1" }, true));
    client.send(POST);
    // The header block does not wait for the first piece.
    await client.until(/\r\n\r\n$/);
    const { call, told } = calls[0] as Opened;
    for (const [i, piece] of ["0123456789", "x".repeat(20_000)].entries()) {
      expect(call.write(Buffer.from(piece))).toBe(false);
      await until(() => told.length === i + 2);
    }
    expect(call.write(Buffer.alloc(0))).toBe(true);
    call.end({ "x-tail": ["1", "2"] });
    await client.until(/\r\n0\r\n[\s\S]*\r\n\r\n$/);
    expect(client.read).toBe(
      `HTTP/1.1 200 OK\r\na: 1\r\n${STAYS}transfer-encoding: chunked\r\n\r\n` +
        `a\r\n0123456789\r\n4e20\r\n${"x".repeat(20_000)}\r\n0\r\nx-tail: 1\r\nx-tail: 2\r\n\r\n`,
    );
    await until(() => told.length === 4);
    expect(told).toEqual(["complete", "drained", "drained", "answered"]);
  });

  it("ends an answer with trailers and an empty stream in the same way", async () => {
    const { client } = await serve(({ call }) => {
      if (call.target === "/a") call.answer(200, {}, Buffer.from("b"), { t: "1" });
      else {
        call.begin(200, {}, false);
        call.end();
      }
    });
    client.send(GET + GET.replace("/a", "/b"));
    await client.until(/\r\n\r\n0\r\n\r\n$/);
    const head = `HTTP/1.1 200 OK\r\n${STAYS}transfer-encoding: chunked\r\n\r\n`;
    expect(client.read).toBe(`${head}1\r\nb\r\n0\r\nt: 1\r\n\r\n${head}0\r\n\r\n`);
  });

  it("streams to HTTP/1.0 without chunks, and closes", async () => {
    const { client } = await serve(({ call }) => {
      call.begin(200, {}, true);
      call.write(Buffer.from("piece"));
      call.end({ t: "1" });
    });
    client.send("GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    await client.ended();
    expect(client.read).toBe(`HTTP/1.1 200 OK\r\n${GOES}\r\npiece`);
  });

  it("closes when the caller asks for it", async () => {
    const { client } = await serve(hello);
    client.send(`${GET.slice(0, -2)}Connection: close\r\n\r\n${GET}`);
    await client.ended();
    expect(client.read).toBe(
      `HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n${GOES}content-length: 5\r\n\r\nhello`,
    );
  });

  it("closes with the next answer once it is old enough", async () => {
    const { client, clock } = await serve(hello);
    client.send(GET);
    await client.until(/hello$/);
    client.read = "";
    await clock.advance(70_000);
    for (let at = 70_000; at < DEFAULT_LISTENER_LIMITS.connectionAgeMs; at += 70_000) {
      client.send(GET);
      await client.until(/keep-alive[\s\S]*hello$/);
      client.read = "";
      await clock.advance(70_000);
    }
    client.send(GET);
    await client.until(/connection: close\r\n[\s\S]*hello$/);
    await client.ended();
  });

  it("closes when it is idle, while the listener drains", async () => {
    const { client, clock, listener } = await serve(hello);
    client.send(GET);
    await client.until(/hello$/);
    const drained = listener.drain();
    while (listener.connections > 0) {
      await clock.advance(DEFAULT_LISTENER_LIMITS.drainIdleMs);
      client.socket.end();
      await nextTurn();
    }
    await drained;
  });

  it("closes with the answer, while the listener drains", async () => {
    const { client, clock, listener, calls } = await serve();
    client.send(GET);
    await until(() => calls.length === 1);
    const drained = listener.drain();
    await sleep(5);
    await clock.advance(2 * DEFAULT_LISTENER_LIMITS.drainIdleMs);
    if (calls[0]) hello(calls[0]);
    await client.until(/connection: close\r\n[\s\S]*hello$/);
    client.socket.end();
    await drained;
  });

  it("says 100 to a caller that waits for it, when its body is wanted", async () => {
    const { client, calls } = await serve(({ call }) => {
      if (call.target === "/refused") call.answer(404, {});
    });
    client.send("POST /a HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    await client.until(/^HTTP\/1.1 100 Continue\r\n\r\n$/);
    client.send("{}");
    await until(() => calls[0]?.told.length === 1);
    if (calls[0]) hello(calls[0]);
    await client.until(/hello$/);
    client.read = "";
    client.send("POST /refused HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    await client.until(/^HTTP\/1.1 404 [\s\S]*connection: close/);
    await client.ended();
  });

  it.each([
    ["what is no request", "GET / HTTP/1.1\r\nHost : a\r\n\r\n", "400 Bad Request"],
    [
      "an expectation that it does not know",
      "GET / HTTP/1.1\r\nHost: a\r\nExpect: b\r\n\r\n",
      "417 Expectation Failed",
    ],
    ["a tunnel", "CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n", "501 Not Implemented"],
    [
      "a header block that is too large",
      `${GET.slice(0, -2)}X: ${"x".repeat(40_000)}`,
      "431 Request Header Fields Too Large",
    ],
  ])("refuses %s and closes, without opening a call", async (_what, text, status) => {
    const { client, calls } = await serve();
    // What comes after it is read away, or the kernel would take the answer back.
    client.send(text + "x".repeat(100_000));
    await client.ended();
    expect(client.read).toBe(`HTTP/1.1 ${status}\r\n${GOES}content-length: 0\r\n\r\n`);
    expect(calls).toEqual([]);
  });

  it("refuses what is no request after the answer to the one before it", async () => {
    const { client, calls } = await serve();
    client.send(`${POST}rubbish\r\n`);
    await until(() => calls[0]?.told.length === 1);
    if (calls[0]) hello(calls[0]);
    await client.ended();
    expect(client.read).toBe(
      `HTTP/1.1 200 OK\r\n${HELLO}HTTP/1.1 400 Bad Request\r\n${GOES}content-length: 0\r\n\r\n`,
    );
  });

  it("cuts a request whose chunks are broken, without an answer", async () => {
    const { client, calls } = await serve();
    client.send("POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\nx\r\n");
    await client.ended();
    await until(() => calls[0]?.told.length === 1);
    expect(client.read).toBe("");
    expect(calls[0]?.told).toEqual(["gone"]);
  });

  it("answers before the request is complete, reads the rest away for a while, and closes", async () => {
    const { client, calls } = await serve(hello);
    client.send(`${POST.replace(": 2", ": 400002")}${"x".repeat(200_000)}`);
    await client.until(/connection: close\r\n[\s\S]*hello$/);
    client.send("x".repeat(200_000));
    await client.ended();
    expect(calls[0]?.told).toEqual(["answered"]);
    expect(calls[0]?.body).toBe("");
    client.socket.end();
    await client.closed;
  });

  it("does not read more than a megabyte away", async () => {
    const { client } = await serve(hello);
    client.send(POST.replace(": 2", ": 4000000"));
    await client.until(/hello$/);
    for (let i = 0; i < 40; i++) client.send("x".repeat(100_000));
    await client.closed;
  });

  it("does not wait for its caller for more than a second after the last answer", async () => {
    const { client, clock, listener } = await serve(hello);
    client.send(POST.replace(": 2", ": 3"));
    await client.ended();
    await clock.advance(750);
    expect(listener.connections).toBe(1);
    await clock.advance(750);
    await until(() => listener.connections === 0);
  });

  it("keeps the connection when a request is answered before it was read, but is all here", async () => {
    const { client, calls } = await serve(hello);
    client.send(POST + GET);
    await client.until(/hello[\s\S]*hello$/);
    expect(client.read).toBe(`HTTP/1.1 200 OK\r\n${HELLO}`.repeat(2));
    expect(calls[0]?.told).toEqual(["complete", "answered"]);
  });

  it("does not take a body that was paused and never read for the next request", async () => {
    const { client, calls } = await serve((opened) => {
      if (calls.length === 1) opened.call.pause();
      hello(opened);
    });
    client.send(POST.replace(": 2", `: ${GET.length}`).replace("{}", `${GET.slice(0, 4)}/b${GET.slice(6)}`));
    client.send(GET.replace("/a", "/next"));
    await client.until(/hello[\s\S]*(hello|close)/);
    expect(calls.map(({ call }) => call.target)).toEqual(["/a", "/next"]);
  });

  it("reads the next request after one whose body was paused and answered without being read", async () => {
    const { client, calls } = await serve((opened) => {
      if (calls.length === 1) opened.call.pause();
      hello(opened);
    });
    client.send(POST);
    await client.until(/hello$/);
    client.send(GET);
    await client.until(/hello[\s\S]*hello$/);
    expect(calls[1]?.told).toContain("complete");
  });

  it("opens pipelined requests one at a time, in order, and does not read many ahead", async () => {
    const { client, calls } = await serve();
    const padding = `X: ${"x".repeat(1_000)}\r\nHost`;
    const all = Array.from({ length: 20_000 }, (_, at) =>
      POST.replace("/a", `/${at}`).replace("Host", padding),
    );
    let flushed = false;
    client.socket.write(all.join(""), () => {
      flushed = true;
    });
    await until(() => calls[0]?.told.length === 1);
    await sleep(50);
    expect(calls).toHaveLength(1);
    expect(flushed).toBe(false);
    for (let at = 0; at < 300; at++) {
      await until(() => calls[at]?.told.length === 1);
      expect(calls[at]?.call.target).toBe(`/${at}`);
      if (calls[at]) hello(calls[at] as Opened);
    }
  });

  it("lets others have their turn between pipelined requests", async () => {
    let turn = 0;
    const turns: number[] = [];
    const { client } = await serve((opened) => {
      turns.push(turn);
      hello(opened);
    });
    const count = (): void => {
      turn++;
      if (turns.length < 200) setImmediate(count);
    };
    count();
    client.send(GET.repeat(200));
    await until(() => turns.length === 200);
    expect(new Set(turns).size).toBe(200);
  });

  it("stops reading a body while its receiver wants it to", async () => {
    const { client, calls } = await serve(({ call }) => call.pause());
    const size = 20_000_000;
    client.send(`${POST.replace(": 2", `: ${size}`).slice(0, -2)}`);
    let flushed = false;
    client.socket.write("x".repeat(size), () => {
      flushed = true;
    });
    await until(() => calls.length === 1);
    await sleep(50);
    expect([calls[0]?.body, flushed]).toEqual(["", false]);
    calls[0]?.call.resume();
    await until(() => calls[0]?.told.length === 1);
    expect(calls[0]?.body).toHaveLength(size);
  });

  it("answers a caller that sends, whose body is not read any more", async () => {
    const { client, calls } = await serve(({ call }) => call.pause());
    client.send(`${POST.replace(": 2", ": 900000").slice(0, -2)}${"x".repeat(900_000)}`);
    await until(() => calls.length === 1);
    if (calls[0]) hello(calls[0]);
    await client.until(/hello$/);
    await client.ended();
  });

  it("holds a piece that its caller does not take, and tells when it is gone", async () => {
    const { client, calls } = await serve(({ call }) => {
      call.begin(200, {}, false);
      call.write(Buffer.alloc(30_000_000));
    });
    client.socket.pause();
    client.send(POST);
    await until(() => calls.length === 1);
    await sleep(50);
    expect(calls[0]?.told).toEqual(["complete"]);
    client.socket.resume();
    await until(() => calls[0]?.told.length === 2);
    expect(calls[0]?.told).toEqual(["complete", "drained"]);
  });

  it.each([
    ["hangs up", (client: RawH1) => client.destroy()],
    // As with node:http: a wait may last an hour, and nothing else would tell that nobody waits.
    ["ends its side", (client: RawH1) => client.socket.end()],
  ])("tells that its caller %s", async (_how, leave) => {
    const { client, calls, listener } = await serve();
    client.send(POST);
    await until(() => calls[0]?.told.length === 1);
    leave(client);
    await until(() => calls[0]?.told.length === 2);
    expect(calls[0]?.told).toEqual(["complete", "gone"]);
    if (calls[0]) hello(calls[0]);
    await until(() => listener.connections === 0);
    expect(calls[0]?.told).toEqual(["complete", "gone"]);
  });

  it("sends what was answered in the turn in which it is cut", async () => {
    const { client, calls } = await serve(({ call }) => {
      call.begin(200, {}, false);
      call.write(Buffer.from("last words"));
      call.reset("INTERNAL_ERROR");
    });
    client.send(GET);
    await client.ended();
    expect(client.read).toContain("last words");
    expect(client.read).not.toMatch(/0\r\n\r\n$/);
    await until(() => calls[0]?.told.includes("gone") === true);
  });

  it("sends head, piece and end of one turn at once, and is told of the end alone", async () => {
    const { client, calls } = await serve(({ call }) => {
      call.begin(200, {}, false);
      call.write(Buffer.from("all"));
      call.end();
    });
    client.send(GET);
    await client.until(/\r\n\r\n3\r\nall\r\n0\r\n\r\n$/);
    await until(() => calls[0]?.told.includes("answered") === true);
    expect(calls[0]?.told).not.toContain("drained");
  });

  it("ends when the call is reset", async () => {
    const { client, calls } = await serve(({ call }) => {
      call.begin(200, {}, false);
      call.write(Buffer.from("x"));
    });
    client.send(POST);
    await client.until(/1\r\nx\r\n$/);
    calls[0]?.call.reset("INTERNAL_ERROR");
    await client.ended();
    await until(() => calls[0]?.told.length === 3);
    expect(calls[0]?.told).toEqual(["complete", "drained", "gone"]);
    expect(client.read).not.toMatch(/0\r\n\r\n$/);
  });

  it("throws on a header that is none, and can still be answered", async () => {
    const { client, calls } = await serve(({ call }) => {
      expect(() => call.answer(200, { a: "b\r\nc: d" }, Buffer.from("x"))).toThrow(TypeError);
      expect(() => call.begin(200, { "a b": "c" }, false)).toThrow(TypeError);
      call.begin(200, {}, true);
      expect(() => call.end({ a: "\u010a" })).toThrow(TypeError);
      call.end();
    });
    client.send(GET);
    await client.until(/0\r\n\r\n$/);
    expect(client.read).toBe(`HTTP/1.1 200 OK\r\n${STAYS}transfer-encoding: chunked\r\n\r\n0\r\n\r\n`);
    await until(() => calls[0]?.told.length === 2);
  });

  it("does not become another protocol", async () => {
    const { client } = await serve(hello);
    client.send(
      `${GET.slice(0, -2)}Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n${GET}`,
    );
    await client.until(/hello[\s\S]*hello$/);
    expect(client.read).toBe(`HTTP/1.1 200 OK\r\n${HELLO}`.repeat(2));
  });

  describe("is given time", () => {
    const { headersMs, keepAliveMs } = DEFAULT_LISTENER_LIMITS;

    it("between requests, and is closed after it", async () => {
      const { client, clock, listener } = await serve(hello);
      for (let i = 0; i < 3; i++) {
        client.send(GET);
        await client.until(/hello$/);
        client.read = "";
        await clock.advance(keepAliveMs - 500);
        expect(listener.connections).toBe(1);
      }
      await clock.advance(750);
      await client.ended();
      expect(client.read).toBe("");
    });

    it("for a header block, and is answered 408 after it", async () => {
      const { client, clock } = await serve(hello);
      client.send(GET);
      await client.until(/hello$/);
      client.read = "";
      client.send("GET / HTTP/1.1\r\n");
      await sleep(20);
      for (let at = 0; at <= headersMs + 500; at += 500) {
        if (client.read === "") client.send("X: y\r\n");
        await clock.advance(500);
      }
      await client.ended();
      expect(client.read).toMatch(/^HTTP\/1.1 408 Request Timeout\r\n[\s\S]*connection: close\r\n/);
    });

    it("for a body, and is closed after it", async () => {
      const { client, clock, calls } = await serve();
      client.send(POST.slice(0, -1));
      await until(() => calls[0]?.body === "{");
      await clock.advance(2 * headersMs);
      expect(calls[0]?.told).toEqual([]);
      await clock.advance(500);
      await client.ended();
      await until(() => calls[0]?.told.length === 1);
      expect(calls[0]?.told).toEqual(["gone"]);
    });

    it("for its answer without end, as long as that is not made", async () => {
      const { client, clock, calls } = await serve();
      client.send(POST);
      await until(() => calls[0]?.told.length === 1);
      await clock.advance(3_600_000);
      if (calls[0]) hello(calls[0]);
      await client.until(/hello$/);
    });

    it("to take its answer, and is cut after it", async () => {
      const { client, clock, calls } = await serve(({ call }) =>
        call.answer(200, {}, Buffer.alloc(30_000_000)),
      );
      client.socket.pause();
      client.send(POST);
      await until(() => calls[0]?.told.length === 1);
      await clock.advance(keepAliveMs);
      expect(calls[0]?.told).toEqual(["complete"]);
      await clock.advance(500);
      await until(() => calls[0]?.told.length === 2);
      expect(calls[0]?.told).toEqual(["complete", "gone"]);
    });
  });
});
