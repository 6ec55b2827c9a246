/**
 * What our client takes for an answer, undici takes for the very same one: status, headers and body. It may take less,
 * and not where the answer is right. Generated answers, right, nearly right and mutilated, cut anywhere, go to both. 500
 * by default; `UPSTREAM_RUNS=20000` for more.
 */
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { systemClock } from "../../../src/lib/clock.ts";
import { Sender } from "../../../src/upstream/send.ts";
import { SendFailure } from "../../../src/upstream/send-failure.ts";
import { FaultServer } from "../../support/fault-server.ts";
import { OpenCall } from "../../support/open-call.ts";

const RUNS = Number(process.env["UPSTREAM_RUNS"] ?? 500);

/** Mostly the first, sometimes one of the others. */
const mostly = (usual: string, ...others: string[]) =>
  fc.oneof(
    { arbitrary: fc.constant(usual), weight: 30 },
    { arbitrary: fc.constantFrom(...others), weight: 1 },
  );

const token = fc.string({ unit: fc.constantFrom(..."!#$%&'*+-.^_`|~09azAZ"), minLength: 1, maxLength: 9 });
const text = fc.string({ unit: fc.constantFrom(...'aB1 ",;:=!~'), maxLength: 20 });
const lineEnd = mostly("\r\n", "\n", "\r", "\r\r\n", " \r\n", "\0\r\n");
const colon = mostly(": ", ":", ":\t ", " :", "", ": \x0b", ":\r\n ", ": \0");
const name = fc.oneof(
  { arbitrary: token, weight: 3 },
  fc.constantFrom("content-length", "Transfer-Encoding", "Connection", "Keep-Alive", "Upgrade", "Trailer"),
  fc.constantFrom("Set-Cookie", "__proto__", "constructor", "", " X", "Content-Length\0"),
);
const value = fc.oneof(
  { arbitrary: text, weight: 3 },
  fc.constantFrom("0", "2", "3", "10", "+2", "-1", "0x2", "2, 2", "002", "99999999999999999999"),
  fc.constantFrom("chunked", "Chunked", "chunked, chunked", "gzip, chunked", "identity", "chunke"),
  fc.constantFrom("close", "keep-alive", "upgrade", "timeout=1", "timeout=100"),
);
const fieldLine = fc.tuple(name, colon, value, lineEnd).map((parts) => parts.join(""));
const status = fc.oneof(
  { arbitrary: fc.constantFrom(200, 201, 204, 304, 400, 404, 503), weight: 5 },
  fc.integer({ min: 200, max: 999 }),
);
const statusLine = fc.oneof(
  { arbitrary: status.map((code) => `HTTP/1.1 ${code} A b\r\n`), weight: 20 },
  fc.constantFrom("HTTP/1.0 200 OK\r\n", "HTTP/1.1 200\r\n", "HTTP/1.1 200 \r\n", "HTTP/1.1 200 OK\n"),
  fc.constantFrom("HTTP/1.2 200 OK\r\n", "HTTP/2.0 200 OK\r\n", "HTTP/1.1 20 OK\r\n", "http/1.1 200 OK\r\n"),
  fc.constantFrom(
    "HTTP/1.1  200 OK\r\n",
    "HTTP/1.1 2000 OK\r\n",
    " HTTP/1.1 200 OK\r\n",
    "HTTP/1.1 101 X\r\n",
  ),
);
const early = mostly(
  "",
  "HTTP/1.1 102 Processing\r\n\r\n",
  "HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n",
  "\r\n",
);

/** A body as it is framed by the last line of the header block, which is part of it. */
const framed = fc.oneof(
  text.map((body) => `content-length: ${body.length}\r\n\r\n${body}`),
  fc
    .array(
      text.filter((chunk) => chunk !== ""),
      { maxLength: 4 },
    )
    .map((chunks) => chunks.map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`).join(""))
    .map((chunks) => `transfer-encoding: chunked\r\n\r\n${chunks}0\r\n\r\n`),
  text.map((body) => `connection: close\r\n\r\n${body}`),
);

const right = fc
  .tuple(
    fc.constantFrom("", "HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n"),
    status.filter((code) => code !== 204 && code !== 304),
    fc.array(
      fc.tuple(token, text).map(([field, content]) => `x-${field}: ${content}\r\n`),
      { maxLength: 4 },
    ),
    framed,
  )
  .map(
    ([informational, code, lines, body]) =>
      `${informational}HTTP/1.1 ${code} A b\r\n${lines.join("")}${body}`,
  );

const nearlyRight = fc
  .tuple(early, statusLine, fc.array(fieldLine, { maxLength: 4 }), framed)
  .map(([informational, line, lines, body]) => `${informational}${line}${lines.join("")}${body}`);

const mutilated = fc
  .tuple(
    nearlyRight,
    fc.nat(),
    fc.nat({ max: 3 }),
    fc.string({ unit: fc.constantFrom(..."\r\n\0 :;0aZ"), maxLength: 3 }),
  )
  .map(([answer, where, gone, instead]) => {
    const at = where % answer.length;
    return answer.slice(0, at) + instead + answer.slice(at + gone);
  });

/** undici takes offence at it, though the blank is no part of the value (RFC 9112 §5.1). */
const BLANK_BEHIND_LENGTH = /content-length:[ \t]*[0-9]+[ \t]+\r\n/i;

/** undici gives up at it, though a client has to bear it unasked (RFC 9110 §15.2). */
const CONTINUE = /^HTTP\/1\.[01] 100/m;

describe("an answer of HTTP/1.1", () => {
  let server: FaultServer;
  let senders: Sender[] = [];
  let pieces: string[] = [];

  beforeAll(async () => {
    server = await FaultServer.start(async (_, reply) => {
      for (const [n, piece] of pieces.entries()) {
        if (n > 0) await new Promise((resolve) => setTimeout(resolve, 1));
        reply.raw(Buffer.from(piece, "latin1"));
      }
      reply.end();
    });
    senders = (["own", "undici"] as const).map(
      (http1) => new Sender({ origin: server.origin, http1 }, systemClock),
    );
  });

  afterAll(async () => {
    for (const sender of senders) await sender.close();
    await server.close();
  });

  async function outcomes(answer: string, cut = 0) {
    pieces = cut === 0 ? [answer] : [answer.slice(0, cut), answer.slice(cut)];
    const [own = "none", undici = "none"] = await Promise.all(senders.map(outcome));
    // Or the next request would meet the end of the connection.
    while (server.open > 0) await new Promise((resolve) => setImmediate(resolve));
    return { own, undici };
  }

  it("is read as undici reads it, or is refused", async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(nearlyRight, mutilated), async (answer) => {
        fc.pre(!BLANK_BEHIND_LENGTH.test(answer) && !CONTINUE.test(answer));
        const { own, undici } = await outcomes(answer);
        if (typeof own === "string") return;
        // Of an error both keep what came before they took offence, and ours takes offence sooner.
        const expected = typeof undici === "object" && own.status >= 300 && undici.body.startsWith(own.body);
        expect(own).toEqual(expected ? { ...undici, body: own.body } : undici);
      }),
      { numRuns: RUNS },
    );
  });

  it("is read as undici reads it when it is right, cut anywhere", async () => {
    await fc.assert(
      fc.asyncProperty(right, fc.nat(), async (answer, cut) => {
        const { own, undici } = await outcomes(answer, cut % answer.length);
        expect(typeof own).toBe("object");
        expect(own).toEqual(undici);
      }),
      { numRuns: Math.ceil(RUNS / 5) },
    );
  });
});

interface Outcome {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** The answer to a request, or the kind of failure. */
function outcome(sender: Sender): Promise<Outcome | string> {
  const request = { verb: "GET", path: "/", body: undefined } as const;
  return new Promise((resolve, reject) => {
    sender.send(request, [], new OpenCall(), {
      onResponse: ({ status, headers, body }) => {
        // undici leaves the blanks behind a value, which are no part of it (RFC 9112 §5).
        const trimmed = Object.entries(headers).map(([name, value]) => [
          name,
          value.replace(/[ \t]+(?=,|$)/g, ""),
        ]);
        resolve({ status, headers: Object.fromEntries(trimmed), body: Buffer.from(body).toString("latin1") });
      },
      onFailure: (why) => (why instanceof SendFailure ? resolve(why.kind) : reject(why)),
    });
  });
}
