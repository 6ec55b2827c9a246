import { afterEach, describe, expect, test } from "vitest";
import type { CallContext } from "../../src/lib/call-context.ts";
import { type Clock, systemClock } from "../../src/lib/clock.ts";
import type { RestRequest, RestResponse } from "../../src/lib/rest.ts";
import type { ConnectionTimeouts } from "../../src/upstream/dispatcher.ts";
import { Sender, type SendLimits, type SendListener } from "../../src/upstream/send.ts";
import { SendFailure } from "../../src/upstream/send-failure.ts";
import { fastest } from "../support/fastest.ts";
import { FaultServer, type Reply, type Script } from "../support/fault-server.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { OpenCall } from "../support/open-call.ts";
import { SeededRandom } from "../support/seeded-random.ts";

const GET: RestRequest = { verb: "GET", path: "/v1beta1/projects/p/x?pageSize=5", body: undefined };
const POST: RestRequest = { verb: "POST", path: "/v1beta1/projects/p/x:cancel", body: undefined };
const HEADERS = ["accept", "application/json", "authorization", "Bearer t"];

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** Sends a request, as a promise. */
function send(
  sender: Sender,
  request: RestRequest,
  headers: readonly string[],
  call: CallContext,
  options: Pick<SendListener, "finishes" | "onLateEnd" | "background"> = {},
): Promise<RestResponse> {
  return new Promise((resolve, reject) => {
    sender.send(request, headers, call, { ...options, onResponse: resolve, onFailure: reject });
  });
}

/** What a request came to: the failure's kind, or the answer's status. */
function outcome(promise: Promise<{ status: number }>): Promise<string | number> {
  return promise.then(
    (response) => response.status,
    (error) => (error instanceof SendFailure ? error.kind : `ended: ${error.code}`),
  );
}

/** Waits until the condition holds; fails with the test's own time limit. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}

// Own HTTP/1.1 and undici: what the sender promises holds over both, and so each shows what the other is to do.
describe.each(["own", "undici"] as const)("a sender over HTTP/1.1, %s", (http1) => {
  async function upstream(
    script: Script,
    limits: Partial<SendLimits> = {},
    timeouts: Partial<ConnectionTimeouts> = {},
    clock: Clock = systemClock,
  ) {
    const server = await FaultServer.start(script);
    const sender = new Sender({ origin: server.origin, limits, timeouts, http1 }, clock);
    cleanups.push(
      () => server.close(),
      () => sender.close(),
    );
    return { server, sender };
  }

  test("sends verb, path and headers as they are, and returns the whole answer", async () => {
    const { server, sender } = await upstream((_, reply) => reply.json(200, { a: 1 }, { "X-Two": "1" }));
    const response = await send(sender, GET, HEADERS, new OpenCall());
    expect(response.status).toBe(200);
    expect(response.headers).toMatchObject({ "x-two": "1" });
    expect(Buffer.from(response.body).toString()).toBe('{"a":1}');
    expect(server.requests[0]!.head.split("\r\n")).toEqual([
      "GET /v1beta1/projects/p/x?pageSize=5 HTTP/1.1",
      `host: 127.0.0.1:${server.port}`,
      "connection: keep-alive",
      "accept: application/json",
      "authorization: Bearer t",
    ]);
  });

  test("sends a POST without a body with content-length 0, and one with a body with its length", async () => {
    const { server, sender } = await upstream((_, reply) => reply.json(200, {}));
    await send(sender, POST, HEADERS, new OpenCall());
    await send(sender, { ...POST, body: Buffer.from("{}") }, HEADERS, new OpenCall());
    await send(sender, { ...POST, verb: "DELETE" }, HEADERS, new OpenCall());
    expect(server.requests.map((request) => request.headers["content-length"])).toEqual([
      "0",
      "2",
      undefined,
    ]);
    expect(server.requests[1]!.body).toBe("{}");
  });

  test("keeps one connection for calls in a row and opens more only for calls at once", async () => {
    const { server, sender } = await upstream((_, reply) => setTimeout(() => reply.json(200, {}), 10), {
      connections: 3,
    });
    for (let n = 0; n < 5; n++) await send(sender, GET, HEADERS, new OpenCall());
    expect(server.connections).toBe(1);
    await Promise.all(Array.from({ length: 20 }, () => send(sender, GET, HEADERS, new OpenCall())));
    expect(server.connections).toBe(3);
    expect(server.requests.length).toBe(25);
  });

  test("never has two requests under way on one connection", async () => {
    const busy = new Set<number>();
    let overlap = false;
    const { sender } = await upstream(
      (request, reply) => {
        if (busy.has(request.connection)) overlap = true;
        busy.add(request.connection);
        setTimeout(() => {
          busy.delete(request.connection);
          reply.json(200, {});
        }, 2);
      },
      { connections: 2 },
    );
    await Promise.all(Array.from({ length: 50 }, () => send(sender, POST, HEADERS, new OpenCall())));
    expect(overlap).toBe(false);
  });

  test.each(["POST", "GET", "DELETE"] as const)(
    "sends a %s once when its connection is reset, whatever came before",
    async (verb) => {
      const { server, sender } = await upstream((_, reply, n) => {
        // A connection that has served before and dies with the next request: where HTTP libraries like to repeat.
        if (n % 2 === 1) reply.json(200, {});
        else reply.reset();
      });
      const request = { ...POST, verb };
      for (let n = 0; n < 10; n++) {
        expect(await outcome(send(sender, request, HEADERS, new OpenCall()))).toBe(200);
        expect(await outcome(send(sender, request, HEADERS, new OpenCall()))).toBe("reset");
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
      expect(server.requests.length).toBe(20);
    },
  );

  test("sends a POST once when the peer closes in good order instead of answering", async () => {
    const { server, sender } = await upstream((_, reply) => reply.end());
    expect(await outcome(send(sender, POST, HEADERS, new OpenCall()))).toBe("reset");
    expect(server.requests.length).toBe(1);
  });

  test("sends a POST once when the peer closes idle connections just as it comes", async () => {
    const { server, sender } = await upstream((_, reply) => {
      reply.json(200, {});
      setImmediate(() => reply.end());
    });
    for (let n = 1; n <= 30; n++) {
      await outcome(send(sender, POST, HEADERS, new OpenCall()));
      expect(server.requests.length).toBeLessThanOrEqual(n);
    }
  });

  test("tells a reset in the middle of an answer from an answer that ends too early", async () => {
    const { sender } = await upstream((request, reply) => {
      reply.raw('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"name": "projects/');
      setTimeout(() => (request.path === "/reset" ? reply.reset() : reply.end()), 10);
    });
    expect(await outcome(send(sender, { ...GET, path: "/reset" }, HEADERS, new OpenCall()))).toBe("reset");
    expect(await outcome(send(sender, { ...GET, path: "/end" }, HEADERS, new OpenCall()))).toBe("malformed");
  });

  test.each([
    ["what is not HTTP", "SSH-2.0-OpenSSH_9.6\r\n"],
    [
      "more bytes than the length says",
      "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}trailing",
    ],
    ["two lengths", "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}x"],
    ["a head of 100 KB", `HTTP/1.1 200 OK\r\nx: ${"y".repeat(100_000)}\r\ncontent-length: 2\r\n\r\n{}`],
  ])("does not take %s for an answer to the next request", async (_, bytes) => {
    const { server, sender } = await upstream((_request, reply, n) =>
      n === 1 ? reply.raw(bytes) : reply.json(200, {}),
    );
    await outcome(send(sender, GET, HEADERS, new OpenCall()));
    expect(await outcome(send(sender, GET, HEADERS, new OpenCall()))).toBe(200);
    expect(server.connections).toBe(2);
  });

  test("follows no redirect", async () => {
    const { server, sender } = await upstream((_, reply) =>
      reply.send(302, "", { location: "http://127.0.0.1:1/steal" }),
    );
    const response = await send(sender, GET, HEADERS, new OpenCall());
    expect(response.status).toBe(302);
    expect(server.requests.length).toBe(1);
  });

  test("reads past informational heads", async () => {
    const { sender } = await upstream((_, reply) => {
      reply.raw("HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n");
      reply.json(200, { ok: true });
    });
    const response = await send(sender, GET, HEADERS, new OpenCall());
    expect([response.status, Buffer.from(response.body).toString()]).toEqual([200, '{"ok":true}']);
  });

  test("inflates gzip once and refuses every other encoding", async () => {
    const { sender } = await upstream((request, reply) => {
      if (request.path === "/gzip") reply.gzip(200, '{"a":1}');
      else if (request.path === "/large") reply.gzip(200, "x".repeat(3_000_000));
      else if (request.path === "/identity") reply.send(200, "{}", { "content-encoding": "identity" });
      else if (request.path === "/cut") reply.send(200, "\x1f\x8b\x08\x00", { "content-encoding": "gzip" });
      else reply.gzip(200, "{}", { "content-encoding": request.path.slice(1) });
    });
    const get = (path: string) => send(sender, { ...GET, path }, HEADERS, new OpenCall());
    expect(Buffer.from((await get("/gzip")).body).toString()).toBe('{"a":1}');
    expect((await get("/large")).body.length).toBe(3_000_000);
    expect(Buffer.from((await get("/identity")).body).toString()).toBe("{}");
    for (const path of ["/cut", "/br", `/${Array(1000).fill("gzip").join(",")}`])
      expect(await outcome(get(path))).toBe("malformed");
  });

  test("stops at the size limit: plain, chunked without end, and a gzip bomb", async () => {
    const limits = { body: 1_000_000 };
    const { sender, server } = await upstream((request, reply) => {
      if (request.path === "/plain") reply.send(200, "x".repeat(2_000_000));
      else if (request.path === "/bomb") reply.gzip(200, Buffer.alloc(20_000_000));
      else if (request.path === "/small-bomb") reply.gzip(200, Buffer.alloc(2_000_000));
      else {
        reply.raw("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
        const chunk = `10000\r\n${"x".repeat(0x10000)}\r\n`;
        const pump = () => {
          if (!reply.socket.destroyed) reply.socket.write(chunk, pump);
        };
        pump();
      }
    }, limits);
    for (const path of ["/plain", "/bomb", "/small-bomb", "/endless"])
      expect(await outcome(send(sender, { ...GET, path }, HEADERS, new OpenCall()))).toBe("too-large");
    await until(() => server.open <= 1);
  });

  test("reads no more than the first 64 KiB of an error body, and keeps its status", async () => {
    const { sender } = await upstream((request, reply) => {
      if (request.path === "/gzip") reply.gzip(503, "x".repeat(1_000_000));
      else if (request.path === "/cut-gzip")
        reply.send(503, "\x1f\x8b", { "content-encoding": "gzip", "content-length": "2" });
      else if (request.path === "/reset") {
        reply.raw("HTTP/1.1 503 X\r\ncontent-length: 1000\r\n\r\npartial");
        setTimeout(() => reply.reset(), 10);
      } else reply.send(503, "x".repeat(1_000_000));
    });
    const get = async (path: string) => {
      const { status, body } = await send(sender, { ...GET, path }, HEADERS, new OpenCall());
      return [status, body.length];
    };
    expect(await get("/plain")).toEqual([503, 65_536]);
    expect(await get("/gzip")).toEqual([503, 65_536]);
    expect(await get("/cut-gzip")).toEqual([503, 0]);
    expect(await get("/reset")).toEqual([503, 7]);
  });

  test("aborts a read within 100 ms of its caller's leaving, and closes its connection", async () => {
    const { server, sender } = await upstream((_, reply) => reply.ignore());
    const took = await fastest(100, async () => {
      const seen = server.requests.length;
      const closed = server.closedAt.length;
      const call = new OpenCall();
      const ended = outcome(send(sender, GET, HEADERS, call));
      await until(() => server.requests.length > seen);
      const left = performance.now();
      call.end();
      expect(await ended).toBe("ended: 1");
      await until(() => server.closedAt.length > closed);
      return server.closedAt[closed]! - left;
    });
    expect(took).toBeLessThan(100);
    expect(sender.load).toBe(0);
  });

  test("ends a dripping answer at the caller's deadline, and the connection with it", async () => {
    const { server, sender } = await upstream((_, reply) => {
      reply.raw("HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n");
      reply.drip("x".repeat(1000), 20);
    });
    const took = await fastest(250, async () => {
      expect(await outcome(send(sender, GET, HEADERS, new OpenCall({ timeoutMs: 200 })))).toBe("ended: 4");
      return undefined;
    });
    expect(took).toBeLessThan(250);
    await until(() => server.open === 0);
  });

  test("ends a dripping answer at the request limit when the caller sets no deadline", async () => {
    const { server, sender } = await upstream(
      (_, reply) => {
        reply.raw("HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n");
        reply.drip("x".repeat(1000), 20);
      },
      { requestMs: 300 },
    );
    expect(await outcome(send(sender, GET, HEADERS, new OpenCall()))).toBe("body-timeout");
    await until(() => server.open === 0);
  });

  test("gives up on an upstream that accepts and never answers", async () => {
    const { sender } = await upstream((_, reply) => reply.ignore(), {}, { headers: 500 });
    expect(await outcome(send(sender, GET, HEADERS, new OpenCall()))).toBe("headers-timeout");
  });

  test("ends an answer that falls silent, and keeps the status of an error that does", async () => {
    const { server, sender } = await upstream(
      ({ path }, reply) => reply.raw(`HTTP/1.1 ${path.slice(1)} X\r\ncontent-length: 9\r\n\r\n{`),
      {},
      { body: 300 },
    );
    const get = (status: string) =>
      outcome(send(sender, { ...GET, path: `/${status}` }, HEADERS, new OpenCall()));
    expect(await Promise.all([get("200"), get("503")])).toEqual(["body-timeout", 503]);
    await until(() => server.open === 0);
  });

  test("lets a POST that was sent finish after its caller has left, and reports its answer", async () => {
    const { server, sender } = await upstream((_, reply) => setTimeout(() => reply.json(200, {}), 100));
    const call = new OpenCall();
    const late: unknown[] = [];
    const ended = outcome(
      send(sender, POST, HEADERS, call, { finishes: true, onLateEnd: (end) => late.push(end) }),
    );
    await until(() => server.requests.length === 1);
    call.end();
    expect(await ended).toBe("ended: 1");
    expect(late).toEqual([]);
    await until(() => late.length === 1);
    expect(late[0]).toMatchObject({ status: 200 });
  });

  test("bounds a POST that its caller has left by the request limit", async () => {
    const { server, sender } = await upstream((_, reply) => reply.ignore(), { requestMs: 300 });
    const call = new OpenCall();
    const late: unknown[] = [];
    outcome(send(sender, POST, HEADERS, call, { finishes: true, onLateEnd: (end) => late.push(end) }));
    await until(() => server.requests.length === 1);
    call.end();
    await until(() => late.length === 1);
    expect(late[0]).toMatchObject({ kind: "headers-timeout", sent: true });
  });

  test("never sends a request whose caller left while it waited for a connection", async () => {
    const replies: (() => void)[] = [];
    const { server, sender } = await upstream(
      (_, reply) => {
        replies.push(() => reply.json(200, {}));
      },
      { connections: 1 },
    );
    const first = outcome(send(sender, GET, HEADERS, new OpenCall()));
    await until(() => server.requests.length === 1);
    const call = new OpenCall();
    const late: unknown[] = [];
    const second = outcome(
      send(sender, POST, HEADERS, call, { finishes: true, onLateEnd: (end) => late.push(end) }),
    );
    const third = outcome(send(sender, GET, HEADERS, new OpenCall()));
    call.end();
    expect(await second).toBe("ended: 1");
    replies[0]!();
    await until(() => server.requests.length === 2);
    replies[1]!();
    expect(await Promise.all([first, third])).toEqual([200, 200]);
    expect(server.requests.map((request) => request.method)).toEqual(["GET", "GET"]);
    expect(late).toEqual([]);
  });

  test("never sends a request whose caller left while its connection was made", async () => {
    const { server, sender } = await upstream((_, reply) => reply.json(200, {}));
    const call = new OpenCall();
    const ended = outcome(send(sender, POST, HEADERS, call));
    call.end();
    expect(await ended).toBe("ended: 1");
    expect(await outcome(send(sender, GET, HEADERS, new OpenCall()))).toBe(200);
    expect(server.requests.map((request) => request.method)).toEqual(["GET"]);
  });

  test("sends nothing for a call that has ended already", async () => {
    const { server, sender } = await upstream((_, reply) => reply.json(200, {}));
    const call = new OpenCall();
    call.end();
    expect(await outcome(send(sender, GET, HEADERS, call))).toBe("ended: 1");
    expect(server.connections).toBe(0);
  });

  test("refuses at once when too many wait, and serves again when they are done", async () => {
    const replies: (() => void)[] = [];
    const { sender } = await upstream(
      (_, reply) => {
        replies.push(() => reply.json(200, {}));
      },
      { connections: 1, waiting: 2 },
    );
    const sent = Array.from({ length: 5 }, () => outcome(send(sender, GET, HEADERS, new OpenCall())));
    expect(await Promise.all(sent.slice(3))).toEqual(["busy", "busy"]);
    for (let n = 0; n < 3; n++) {
      await until(() => replies.length > n);
      replies[n]!();
    }
    expect(await Promise.all(sent.slice(0, 3))).toEqual([200, 200, 200]);
  });

  test("takes any crowd that an upstream is quick with, and no more than a thousand calls behind one that has waited for 2 s", async () => {
    const held: Reply[] = [];
    let quick = false;
    const script: Script = (_, reply) => (quick ? reply.json(200, {}) : void held.push(reply));
    const clock = new ManualClock();
    const { sender } = await upstream(script, { connections: 1 }, {}, clock);
    const call = () => outcome(send(sender, GET, HEADERS, new OpenCall()));
    const slow = [call(), call()];
    await clock.advance(2_000);
    const crowd = [...slow, ...Array.from({ length: 999 }, call)];
    expect(await call()).toBe("busy");
    await until(() => held.length === 1);
    quick = true;
    held[0]?.json(200, {});
    expect(new Set(await Promise.all(crowd))).toEqual(new Set([200]));
    crowd.splice(0, crowd.length, ...Array.from({ length: 3_000 }, call));
    expect(new Set(await Promise.all(crowd))).toEqual(new Set([200]));
  });

  test("gives connections to calls before polls, however many polls wait, and refuses too many of either alone", async () => {
    const replies: Reply[] = [];
    const { sender, server } = await upstream((_, reply) => void replies.push(reply), {
      connections: 1,
      waiting: 2,
    });
    const paths = () => server.requests.map(({ path }) => path);
    const poll = (path: string) =>
      outcome(send(sender, { ...GET, path }, HEADERS, new OpenCall(), { background: { waits: true } }));
    const call = (path: string) => outcome(send(sender, { ...GET, path }, HEADERS, new OpenCall()));
    const polls = ["/p1", "/p2", "/p3", "/p4"].map(poll);
    expect(await polls[3]).toBe("busy");
    const calls = ["/c1", "/c2", "/c3"].map(call);
    expect(await calls[2]).toBe("busy");
    for (let n = 0; n < 5; n++) {
      await until(() => replies.length > n);
      replies[n]?.json(200, {});
    }
    expect(await Promise.all([...polls.slice(0, 3), ...calls.slice(0, 2)])).toEqual([
      200, 200, 200, 200, 200,
    ]);
    expect(paths()).toEqual(["/p1", "/c1", "/c2", "/p2", "/p3"]);
  });

  test("lets a poll go on while calls use every connection without end", async () => {
    const { sender, server } = await upstream((_, reply) => setImmediate(() => reply.json(200, {})), {
      connections: 2,
    });
    const left = new OpenCall();
    const crowd = Array.from({ length: 6 }, async () => {
      while (!left.ended) await send(sender, GET, HEADERS, new OpenCall());
    });
    await until(() => server.requests.length > 20);
    const poll = { ...GET, path: "/poll" };
    const before = server.requests.length;
    const background = { waits: true };
    expect(
      await outcome(send(sender, poll, HEADERS, new OpenCall({ timeoutMs: 20_000 }), { background })),
    ).toBe(200);
    expect(background.waits).toBe(false);
    // Seven calls that waited, and some that were on their way: a poll that waited for the crowd's end would never come.
    const at = server.requests.findIndex(({ path }) => path === poll.path);
    expect(at - before).toBeLessThan(20);
    left.end();
    await Promise.all(crowd);
  });

  test("has a connection left for a call, however many polls hang", async () => {
    const { sender, server } = await upstream(
      ({ path }, reply) => (path === "/poll" ? reply.ignore() : reply.json(200, {})),
      { connections: 8 },
    );
    const left = new OpenCall();
    const polls = Array.from({ length: 20 }, () =>
      outcome(send(sender, { ...GET, path: "/poll" }, HEADERS, left, { background: { waits: true } })),
    );
    await until(() => server.requests.length === 7);
    expect(await outcome(send(sender, GET, HEADERS, new OpenCall({ timeoutMs: 20_000 })))).toBe(200);
    left.end();
    expect(new Set(await Promise.all(polls))).toEqual(new Set(["ended: 1"]));
    expect(server.requests.length, "polls that were never sent").toBe(8);
  });

  test("gives its share to polls again and again, whatever became of those before", async () => {
    const { sender, server } = await upstream(
      ({ path }, reply, n) => (path === "/poll" && n % 2 ? reply.reset() : reply.json(200, {})),
      { connections: 8 },
    );
    // More than may be under way at once, a third of them given up: a connection that were not given back would be missed.
    for (let round = 0; round < 10; round++) {
      const polls = Array.from({ length: 12 }, (_, n) => {
        const call = new OpenCall();
        const sent = outcome(
          send(sender, { ...GET, path: "/poll" }, HEADERS, call, { background: { waits: true } }),
        );
        if (n % 3 === 0) call.end();
        return sent;
      });
      await Promise.all(polls);
    }
    server.script = (_, reply) => reply.ignore();
    const before = server.requests.length;
    const left = new OpenCall();
    const last = Array.from({ length: 12 }, () =>
      outcome(send(sender, GET, HEADERS, left, { background: { waits: true } })),
    );
    await until(() => server.requests.length === before + 7);
    left.end();
    await Promise.all(last);
  });

  test("keeps working after everything that can go wrong went wrong on all connections", async () => {
    const { sender, server } = await upstream(
      (_, reply, n) => {
        if (n > 40) reply.json(200, {});
        else if (n % 4 === 0) reply.reset();
        else if (n % 4 === 1) reply.raw("garbage\r\n\r\n");
        else if (n % 4 === 2) reply.end();
        else reply.send(500, "x".repeat(100_000));
      },
      { connections: 4 },
    );
    await Promise.all(Array.from({ length: 40 }, () => outcome(send(sender, POST, HEADERS, new OpenCall()))));
    const after = Array.from({ length: 40 }, () => outcome(send(sender, POST, HEADERS, new OpenCall())));
    expect(new Set(await Promise.all(after))).toEqual(new Set([200]));
    expect(server.requests.length).toBe(80);
  });

  test("writes each request once and ends it once, whatever goes wrong in whatever order", async () => {
    const random = new SeededRandom(1).next;
    const faults: ((reply: Reply) => void)[] = [
      (reply) => reply.json(200, {}),
      (reply) => reply.reset(),
      (reply) => reply.end(),
      (reply) => reply.raw("garbage\r\n\r\n"),
      (reply) => reply.ignore(),
      (reply) => reply.send(503, "x".repeat(100_000)),
      (reply) => reply.send(200, "{}", { connection: "close" }),
      (reply) => reply.raw("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{"),
      (reply) => {
        reply.json(200, {});
        setImmediate(() => reply.reset());
      },
    ];
    const { server, sender } = await upstream(
      (_, reply) => setTimeout(() => faults[Math.floor(random() * faults.length)]!(reply), random() * 10),
      { connections: 5, requestMs: 300 },
    );
    const ends = Array.from({ length: 400 }, async (_, n) => {
      await new Promise((resolve) => setTimeout(resolve, random() * 500));
      const call = new OpenCall(random() < 0.3 ? { timeoutMs: random() * 100 } : {});
      return outcome(
        send(sender, { ...POST, path: `/${n}` }, HEADERS, call, { finishes: true, onLateEnd: () => {} }),
      );
    });
    expect((await Promise.all(ends)).length).toBe(400);
    await until(() => sender.load === 0);
    const paths = server.requests.map(({ path }) => path);
    expect(new Set(paths).size).toBe(paths.length);
    server.script = (_, reply) => reply.json(200, {});
    // The last resets may still be on their way.
    await new Promise((resolve) => setTimeout(resolve, 50));
    const after = Array.from({ length: 10 }, () => outcome(send(sender, GET, HEADERS, new OpenCall())));
    expect(new Set(await Promise.all(after))).toEqual(new Set([200]));
  });

  test("reports a closed port and an unknown host as no connection, nothing sent", async () => {
    const closed = await FaultServer.start(() => {});
    const { origin } = closed;
    await closed.close();
    for (const [target, kind] of [
      [origin, "connect"],
      ["http://no-such-host.invalid", "dns"],
    ] as const) {
      const sender = new Sender({ origin: target, http1 }, systemClock);
      const failure = await send(sender, POST, HEADERS, new OpenCall()).catch((error) => error);
      expect(failure).toMatchObject({ kind, sent: false });
      await sender.close();
    }
  });

  test("gives up on a host that does not complete a connection", async () => {
    const { sender } = await upstream(() => {}, {}, { connect: 200 });
    const blackHole = new Sender(
      { origin: "http://192.0.2.1", timeouts: { connect: 200 }, http1 },
      systemClock,
    );
    const failure = await send(blackHole, GET, HEADERS, new OpenCall()).catch((error) => error);
    expect(failure).toMatchObject({ kind: "connect", sent: false });
    await blackHole.close();
    expect(sender.load).toBe(0);
  });

  test("fails a request that cannot be written, and keeps the connection slot", async () => {
    const { sender } = await upstream((_, reply) => reply.json(200, {}), { connections: 1 });
    await expect(send(sender, GET, ["bad header", "x"], new OpenCall())).rejects.toBeInstanceOf(SendFailure);
    expect(await outcome(send(sender, GET, HEADERS, new OpenCall()))).toBe(200);
  });

  test("close() refuses new requests and waits for those under way", async () => {
    const { sender } = await upstream((_, reply) => setTimeout(() => reply.json(200, {}), 50));
    const before = outcome(send(sender, GET, HEADERS, new OpenCall()));
    const closed = sender.close();
    expect(await outcome(send(sender, GET, HEADERS, new OpenCall()))).toBe("closed");
    expect(await before).toBe(200);
    await closed;
  });

  test("listens to its call no longer than needed", async () => {
    const { sender } = await upstream((_, reply) => reply.json(200, {}));
    const call = new OpenCall();
    await send(sender, GET, HEADERS, call);
    expect(call.listeners.size).toBe(0);
  });
});
