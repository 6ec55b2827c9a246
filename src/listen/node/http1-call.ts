import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { Clock, Timer } from "../../lib/clock.ts";
import { IGNORE_REQUEST } from "../../lib/ignore-request.ts";
import { isIgnorableHost, readAbsoluteForm } from "../absolute-form.ts";
import type { Departure } from "../departure.ts";
import { UNREAD_CALLER_MS } from "../limits.ts";
import { peerOf } from "../peer-address.ts";
import type { App, Receiver, RequestHeaders, ResponseHeaders, TransportCall } from "../transport.ts";

/**
 * How long, and how many bytes, the rest of a request is still read after its answer. Closing at once would make the
 * kernel reset the connection under unread data, and the caller would lose the answer (RFC 9112 §9.6).
 */
const LINGER_MS = 1_000;
const LINGER_BYTES = 1_048_576;

/** How many pipelined requests wait for their turn, those of the last read aside, before the connection is no longer read. */
const PIPELINE_MAX = 16;

/** The listener for the `request` event of a `node:http` server: hands each exchange to the app as a call. */
export function acceptHttp1Request(
  app: App,
  clock: Clock,
  departure: Departure,
): (request: IncomingMessage, response: ServerResponse) => void {
  return (request, response) => {
    const call = new Http1Call(request, response, clock, app, departure);
    const socket = request.socket as PipelinedSocket;
    socket[TIME_TO_GO] ??= departure.timeToGo();
    if (socket[CURRENT] === undefined) call.open();
    else waitForTurn(socket, call, clock);
  };
}

/** Where a connection keeps the exchange that is under way, and those that a pipelining caller has sent after it. */
const CURRENT = Symbol("current");
const WAITING = Symbol("waiting");

/** Where a connection keeps when it has to go. */
const TIME_TO_GO = Symbol("time to go");

/** Where a connection whose caller pipelines keeps the timer for {@link Http1Call.probe}. */
const PROBES = Symbol("probes");

type PipelinedSocket = Socket & {
  [CURRENT]?: Http1Call | undefined;
  [WAITING]?: Http1Call[];
  [TIME_TO_GO]?: number;
  [PROBES]?: Timer | undefined;
};

/**
 * Pipelined requests are answered one after the other: their answers have to leave in order anyway, and a caller who
 * does not read them must not make us keep many.
 */
function waitForTurn(socket: PipelinedSocket, call: Http1Call, clock: Clock): void {
  if (socket[WAITING] === undefined) {
    socket[WAITING] = [];
    socket.on("resume", pauseIfFull);
    // The timer would keep all that waits on a connection that is no more.
    socket.on("close", stopProbes);
  }
  socket[WAITING].push(call);
  if (socket[WAITING].length >= PIPELINE_MAX) socket.pause();
  socket[PROBES] ??= probeAgainAndAgain(socket, clock);
}

/** Node reads on by itself, whatever was said, when somebody reads the body of a request. */
function pauseIfFull(this: PipelinedSocket): void {
  if (this[WAITING] && this[WAITING].length >= PIPELINE_MAX) this.pause();
}

/** As long as requests wait; Node may have stopped to read behind any of them. See {@link UNREAD_CALLER_MS}. */
function probeAgainAndAgain(socket: PipelinedSocket, clock: Clock): Timer {
  return clock.setTimer(UNREAD_CALLER_MS, () => {
    const goesOn = !socket.destroyed && (socket[WAITING]?.length ?? 0) > 0;
    if (goesOn) socket[CURRENT]?.probe();
    socket[PROBES] = goesOn ? probeAgainAndAgain(socket, clock) : undefined;
  });
}

function stopProbes(this: PipelinedSocket): void {
  this[PROBES]?.cancel();
  this[PROBES] = undefined;
}

function nextTurn(socket: PipelinedSocket): void {
  socket[CURRENT] = undefined;
  const waiting = socket[WAITING];
  if (waiting === undefined || socket.destroyed) return;
  const next = waiting.shift();
  if (waiting.length === PIPELINE_MAX - 1) socket.resume();
  next?.open();
}

/**
 * The listener for the `clientError` event: what is no HTTP/1.1 request gets an answer, unless an answer to the
 * request before it is on its way; two answers to what may be one request are how smuggling is found out.
 */
export function answerBrokenRequest(error: NodeJS.ErrnoException, socket: Duplex): void {
  const { [CURRENT]: current } = socket as unknown as PipelinedSocket;
  if (!socket.writable || current || isForeign(error)) socket.destroy();
  else socket.end(`HTTP/1.1 ${statusOf(error)}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}

/**
 * Whether a connection began with a line that is no request line of HTTP/1, so that nobody there would read an answer
 * in it: an HTTP/2 caller with a broken preface, say, whose connection just ends (RFC 9113 §3.4).
 */
function isForeign(error: NodeJS.ErrnoException): boolean {
  if (error.code !== "HPE_INVALID_METHOD" || !("rawPacket" in error)) return false;
  return /^(?!.* HTTP\/\d)[^\n]*\n/.test(String(error.rawPacket));
}

function statusOf(error: NodeJS.ErrnoException): string {
  switch (error.code) {
    case "HPE_HEADER_OVERFLOW":
      return "431 Request Header Fields Too Large";
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return "408 Request Timeout";
    default:
      return "400 Bad Request";
  }
}

/** One HTTP/1.1 request and its response as a {@link TransportCall}. */
class Http1Call implements TransportCall {
  readonly httpVersion = "1.1";
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #clock: Clock;
  readonly #app: App;
  readonly #departure: Departure;
  readonly #socket: PipelinedSocket;
  #receiver: Receiver | undefined;
  #target: string;
  #lingering = 0;
  #flushed: ((error: Error | null | undefined) => void) | undefined;

  constructor(
    request: IncomingMessage,
    response: ServerResponse,
    clock: Clock,
    app: App,
    departure: Departure,
  ) {
    this.#request = request;
    this.#response = response;
    this.#clock = clock;
    this.#app = app;
    this.#departure = departure;
    this.#socket = request.socket;
    this.#target = request.url ?? "";
    request.on("error", doNothing);
    response.on("error", doNothing);
    response.on("close", () => {
      this.#receiver?.closed(response.writableFinished);
      nextTurn(this.#socket);
    });
  }

  /** Its turn has come: all requests before it on this connection are answered. */
  open(): void {
    this.#socket[CURRENT] = this;
    // RFC 9112 §3.2: two Host lines are two answers to the question where the request belongs.
    if (countHosts(this.#request.rawHeaders) < 2 && this.#resolveTarget()) this.#app(this);
    else {
      // Else the end of the request would not be noticed, behind which the connection can be closed.
      this.receive(IGNORE_REQUEST);
      this.answer(400, { connection: "close" });
    }
  }

  /** Puts a target in absolute-form into origin-form, and its authority into `Host`. False: it is malformed. */
  #resolveTarget(): boolean {
    if (this.#target.startsWith("/") || this.#target === "*") return true;
    const uri = readAbsoluteForm(this.verb, this.#target);
    const { headers } = this.#request;
    if (uri === undefined || !isIgnorableHost(headers.host)) return false;
    headers.host = uri.authority;
    this.#target = uri.target;
    return true;
  }

  get verb(): string {
    return this.#request.method ?? "";
  }

  get target(): string {
    return this.#target;
  }

  get authority(): string | undefined {
    return this.#request.headers.host;
  }

  get headers(): RequestHeaders {
    // Node gives a list for `set-cookie` only, which no request has a meaning for.
    return this.#request.headers as RequestHeaders;
  }

  get secure(): boolean {
    return "encrypted" in this.#socket;
  }

  get peer(): string {
    return peerOf(this.#socket);
  }

  receive(receiver: Receiver): void {
    this.#receiver = receiver;
    const request = this.#request;
    request.on("data", (chunk: Buffer) => {
      if (this.#lingering > 0) this.#linger(chunk.length);
      receiver.data(chunk);
    });
    request.on("end", () => {
      if (this.#lingering > 0) this.#response.end();
      receiver.complete();
    });
  }

  pause(): void {
    this.#request.pause();
  }

  resume(): void {
    this.#request.resume();
  }

  answer(status: number, headers: ResponseHeaders, body?: Uint8Array, trailers?: ResponseHeaders): void {
    const response = this.#response;
    if (response.destroyed) return;
    if (trailers) {
      this.begin(status, headers, true);
      if (body) response.write(body);
      this.end(trailers);
      return;
    }
    this.#writeHead(status, { ...mutable(headers), "content-length": String(body?.byteLength ?? 0) });
    if (this.#request.complete) {
      if (body?.byteLength) endInOneWrite(response, body);
      else response.end();
    } else {
      if (body) response.write(body);
      else response.flushHeaders();
      this.#startLingering();
    }
  }

  begin(status: number, headers: ResponseHeaders, _trailers: boolean): void {
    if (!this.#response.destroyed) this.#writeHead(status, { ...mutable(headers) });
  }

  write(chunk: Uint8Array): boolean {
    if (!this.#response.writable) return true;
    // Each write is waited for, as for HTTP/2.
    this.#flushed ??= (error) => {
      if (!error) this.#receiver?.drained();
    };
    this.#response.write(chunk, this.#flushed);
    return false;
  }

  end(trailers?: ResponseHeaders): void {
    if (this.#response.destroyed) return;
    if (trailers) this.#response.addTrailers(mutable(trailers));
    if (this.#request.complete) this.#response.end();
    else this.#startLingering();
  }

  reset(): void {
    this.#socket.destroy();
  }

  /** Says something that means nothing, so that the end of a caller that is not read shows. */
  probe(): void {
    // Callers of HTTP/1.0 know no interim answers (RFC 9110 §15.2).
    if (!this.#response.headersSent && this.#request.httpVersionMinor === 1) this.#response.writeContinue();
  }

  /**
   * An answer before the request is complete ends the connection: what the caller still sends would otherwise have
   * to be read to its end before the next request can be told from it. So does the answer on a connection that has
   * to go.
   */
  #writeHead(status: number, headers: OutgoingHttpHeaders): void {
    if (!this.#request.complete || this.#departure.due(this.#socket[TIME_TO_GO] ?? 0))
      headers.connection = "close";
    this.#response.writeHead(status, headers);
  }

  #startLingering(): void {
    this.#lingering = LINGER_BYTES;
    this.#request.resume();
    const timer = this.#clock.setTimer(LINGER_MS, () => this.#response.end());
    this.#response.on("close", () => timer.cancel());
  }

  #linger(bytes: number): void {
    this.#lingering = Math.max(this.#lingering - bytes, 1);
    if (this.#lingering === 1) this.#response.end();
  }
}

/** Above this, copying a body costs more than a second buffer in the same system call. */
const ONE_WRITE_BYTES = 16_384;

/**
 * Node writes head and body as one piece when the body is a string, and as two with bookkeeping for each when it is
 * bytes; Latin-1 is bytes by another name.
 */
function endInOneWrite(response: ServerResponse, body: Uint8Array): void {
  if (body.byteLength > ONE_WRITE_BYTES) response.end(body);
  else response.end(Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString("latin1"), "latin1");
}

function countHosts(rawHeaders: readonly string[]): number {
  let hosts = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? "";
    if (name.length === 4 && name.toLowerCase() === "host") hosts++;
  }
  return hosts;
}

/** Node's types want arrays that may be changed; it changes none. */
function mutable(headers: ResponseHeaders): OutgoingHttpHeaders {
  return headers as OutgoingHttpHeaders;
}

function doNothing(): void {}
