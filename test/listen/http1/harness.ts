import { createServer, type IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { type Duplex, duplexPair } from "node:stream";
import type { Clock } from "../../../src/lib/clock.ts";
import type { Carrier } from "../../../src/listen/carrier.ts";
import { Departure } from "../../../src/listen/departure.ts";
import { ownHttp1 } from "../../../src/listen/http1/http1.ts";
import { DEFAULT_LISTENER_LIMITS } from "../../../src/listen/limits.ts";
import type { App } from "../../../src/listen/transport.ts";
import { ManualClock } from "../../support/manual-clock.ts";

/** A request as an app got it, whole. */
export interface Seen {
  readonly method: string;
  readonly target: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** What became of the bytes of one connection. */
export interface Outcome {
  /** Requests that arrived completely, in order. */
  readonly seen: readonly Seen[];
  /** All that was sent back, as Latin-1. */
  readonly answers: string;
  /** The server has ended its side of the connection. */
  readonly ended: boolean;
}

/** An app that answers every request with 200 and its number, once it is complete. */
export function recording(seen: Seen[]): App {
  return (call) => {
    const chunks: Buffer[] = [];
    call.receive({
      data: (chunk) => chunks.push(Buffer.from(chunk)),
      complete() {
        const headers = Object.fromEntries(
          Object.entries(call.headers).map(([name, value]) => [name, value ?? ""]),
        );
        seen.push({
          method: call.verb,
          target: call.target,
          headers,
          body: Buffer.concat(chunks).toString("latin1"),
        });
        call.answer(200, {}, Buffer.from(String(seen.length)));
      },
      drained() {},
      closed() {},
    });
  };
}

/** Sends pieces over a connection in memory to our carrier. */
export async function throughOwn(pieces: readonly Buffer[]): Promise<Outcome> {
  const seen: Seen[] = [];
  return { seen, ...(await throughApp(recording(seen), pieces)) };
}

/** Sends pieces over a connection in memory to our carrier, which has this app. */
export async function throughApp(app: App, pieces: readonly Buffer[]): Promise<Omit<Outcome, "seen">> {
  // Its time stands still, so that answers are equal to the byte.
  const carrier = carrierOf(app, new ManualClock());
  // What a carrier uses of a socket, every Duplex has.
  const outcome = await exchange(pieces, (socket) => carrier.accept(socket as Socket));
  carrier.close();
  return outcome;
}

function carrierOf(app: App, clock: Clock): Carrier {
  const limits = DEFAULT_LISTENER_LIMITS;
  return ownHttp1(app, { limits, clock, departure: new Departure(clock, limits, () => 0.5) });
}

let nodeSeen: Seen[] = [];
const judge = createServer(
  { maxHeaderSize: DEFAULT_LISTENER_LIMITS.headerListBytes },
  (request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      nodeSeen.push(toSeen(request, Buffer.concat(chunks)));
      response.end(String(nodeSeen.length));
    });
  },
);
judge.maxHeadersCount = 0;
// Without it, what is wrong behind a request would take that one away, too.
judge.on("clientError", () => {});

/** Sends pieces over a connection in memory to `node:http`, strict as it is by default. */
export async function throughNode(pieces: readonly Buffer[]): Promise<Outcome> {
  nodeSeen = [];
  const outcome = await exchange(pieces, (socket) => void judge.emit("connection", socket));
  return { seen: nodeSeen, ...outcome };
}

function toSeen(request: IncomingMessage, body: Buffer): Seen {
  // Not `headers`, in which a field named `__proto__` is lost.
  const headers = Object.entries(request.headersDistinct).map(([name, values]) => [
    name,
    (values ?? []).join(name === "cookie" ? "; " : ", "),
  ]);
  const seen = { method: request.method ?? "", headers: Object.fromEntries(headers) };
  return { ...seen, ...absoluteFormOf(request.url ?? "", seen), body: body.toString("latin1") };
}

/** Node leaves a target in absolute-form as it is; RFC 9112 §3.2.2 says what it means. */
function absoluteFormOf(url: string, { method, headers }: Pick<Seen, "method" | "headers">) {
  const [, host, path = ""] = /^[a-z]+:\/\/([^/?]*)(.*)$/i.exec(url) ?? [];
  if (host === undefined) return { target: url };
  const target = path === "" && method === "OPTIONS" ? "*" : path.startsWith("/") ? path : `/${path}`;
  return { target, headers: { ...headers, host } };
}

/** Enough turns of the event loop for everything that a few requests lead to. */
const TURNS = 24;

async function exchange(pieces: readonly Buffer[], accept: (socket: Duplex) => void) {
  const [client, server] = duplexPair();
  let answers = "";
  let ended = false;
  client.on("data", (chunk: Buffer) => {
    answers += chunk.toString("latin1");
  });
  client.on("end", () => {
    ended = true;
  });
  for (const end of [client, server]) end.on("error", () => {});
  server.on("close", () => {
    ended = true;
  });
  accept(server);
  for (const piece of pieces) {
    // A copy, since a server may do with its input what it likes.
    client.write(Buffer.from(piece));
    await turn();
  }
  for (let i = 0; i < TURNS; i++) await turn();
  const outcome = { answers, ended };
  client.destroy();
  server.destroy();
  await turn();
  return outcome;
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
