import type { Http2Session, IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";
import type { Socket } from "node:net";
import { STALLED_ANSWER_MS, STALLED_REQUEST_MS } from "../limits.ts";
import { peerOf } from "../peer-address.ts";
import { isSameAuthority } from "../same-authority.ts";
import type {
  App,
  Receiver,
  RequestHeaders,
  ResetCode,
  ResponseHeaders,
  TransportCall,
} from "../transport.ts";
import type { OpenAnswer, SessionWatch } from "./session-watch.ts";

/** RFC 9113 §7. */
const RESET_CODES: Readonly<Record<ResetCode, number>> = {
  NO_ERROR: 0,
  INTERNAL_ERROR: 2,
  REFUSED_STREAM: 7,
  CANCEL: 8,
  ENHANCE_YOUR_CALM: 11,
};

const PROTOCOL_ERROR = 1;

/** On HEADERS: there is no body (RFC 9113 §6.2). */
const END_STREAM_FLAG = 1;

/** The listener for the `stream` event of a `node:http2` server: hands each stream to the app as a call. */
export function acceptHttp2Stream(
  app: App,
  watch: SessionWatch,
): (
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  flags: number,
  rawHeaders: readonly string[],
) => void {
  return (stream, headers, flags, rawHeaders) => {
    // A stream without this listener takes the process down when its peer resets it.
    stream.on("error", doNothing);
    // Opened and reset in one packet: nobody waits for the answer, so nobody works for it (rapid reset).
    if (stream.closed || stream.destroyed) {
      watch.took(stream.session);
      return;
    }
    const { host, ":authority": authority = host, ":scheme": scheme } = headers;
    if (host !== undefined && !isSameAuthority(host, authority as string, scheme)) {
      stream.close(PROTOCOL_ERROR);
      return;
    }
    watch.took(stream.session);
    // Node gives a list for `set-cookie` only, which no request has a meaning for.
    const all = withBoth(headers as RequestHeaders, rawHeaders);
    app(new Http2Call(stream as CarriedStream, all, watch.answers));
    const waits = all["expect"]?.toLowerCase() === "100-continue" && (flags & END_STREAM_FLAG) === 0;
    // Node says it by itself only to who listens for `request` (RFC 9110 §10.1.1).
    if (waits && !stream.headersSent && !stream.destroyed) stream.additionalHeaders({ ":status": 100 });
  };
}

/**
 * Of two `authorization` or `content-type` lines Node keeps the first and says nothing of the second; whoever looked at
 * the call before us may have gone by the second. Joined they are neither a token nor a type.
 */
function withBoth(headers: RequestHeaders, rawHeaders: readonly string[]): RequestHeaders {
  let tokens = 0;
  let types = 0;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at];
    if (name === "authorization") tokens++;
    else if (name === "content-type") types++;
  }
  if (tokens < 2 && types < 2) return headers;
  const all = (name: string) =>
    rawHeaders.filter((_, at) => at % 2 === 1 && rawHeaders[at - 1] === name).join(", ");
  const joined: Record<string, string | undefined> = Object.assign(Object.create(null), headers);
  if (tokens > 1) joined["authorization"] = all("authorization");
  if (types > 1) joined["content-type"] = all("content-type");
  return joined;
}

/** Where a stream keeps its call, so that all streams share their listeners instead of making six closures each. */
const CALL = Symbol("call");

/** Where a session keeps the address of its peer: Node's `session.socket` is a proxy, and slow. */
const PEER = Symbol("peer");

type CarriedStream = ServerHttp2Stream & { [CALL]: Http2Call | undefined };

/** Made once: Node reads the options of `respond` and keeps nothing of them. */
const END_STREAM = { endStream: true };
const WITH_TRAILERS = { waitForTrailers: true };
const WITHOUT_TRAILERS = {};

function peerOfSession(session: (Http2Session & { [PEER]?: string }) | undefined): string {
  if (session === undefined) return "gone";
  session[PEER] ??= peerOf(session.socket as Socket);
  return session[PEER];
}

/** One HTTP/2 stream as a {@link TransportCall}. */
class Http2Call implements TransportCall, OpenAnswer {
  readonly httpVersion = "2";
  readonly headers: RequestHeaders;
  readonly stream: CarriedStream;
  readonly peer: string;
  receiver: Receiver | undefined;
  trailers: ResponseHeaders | undefined;
  requestComplete = false;
  #flushed: ((error: Error | null | undefined) => void) | undefined;
  readonly #session: Http2Session | undefined;
  /** All calls that are not over, this one among them until it is. */
  readonly #open: Set<OpenAnswer>;
  /** Bytes of the answer that wait, when they were last looked at, and since when they are so many. */
  #unsent = 0;
  #unsentSince = 0;

  constructor(stream: CarriedStream, headers: RequestHeaders, open: Set<OpenAnswer>) {
    stream[CALL] = this;
    this.stream = stream;
    this.headers = headers;
    this.peer = peerOfSession(stream.session);
    this.#session = stream.session;
    this.#open = open;
    open.add(this);
    stream.on("close", onClose);
  }

  /**
   * Resets the call when a piece of its answer has not left for {@link STALLED_ANSWER_MS}. Called again and again; Node
   * tells of pieces only, not how much of one has left.
   */
  cutStalled(now: number): void {
    const { writableLength } = this.stream;
    if (writableLength === 0 || writableLength !== this.#unsent) {
      this.#unsent = writableLength;
      this.#unsentSince = now;
    } else if (now - this.#unsentSince >= STALLED_ANSWER_MS) this.reset("CANCEL");
  }

  /** The stream is over. */
  close(): void {
    this.#open.delete(this);
    const { rstCode, writableFinished, writableEnded } = this.stream;
    // Without trailers Node closes the stream before it says that the last piece has left; but also with its session.
    const allLeft = writableFinished || (!this.trailers && writableEnded && !this.#session?.destroyed);
    this.receiver?.closed(rstCode === 0 && allLeft);
  }

  get verb(): string {
    return this.headers[":method"] ?? "";
  }

  get target(): string {
    return this.headers[":path"] ?? "";
  }

  get authority(): string | undefined {
    return this.headers[":authority"] ?? this.headers["host"];
  }

  get secure(): boolean {
    return this.stream.session?.encrypted === true;
  }

  receive(receiver: Receiver): void {
    const { stream } = this;
    this.receiver = receiver;
    stream.on("data", onData);
    stream.on("end", onEnd);
  }

  pause(): void {
    this.stream.pause();
  }

  resume(): void {
    this.stream.resume();
  }

  answer(status: number, headers: ResponseHeaders, body?: Uint8Array, trailers?: ResponseHeaders): void {
    const { stream } = this;
    if (stream.destroyed || stream.closed) return;
    if ((!body?.byteLength || this.verb === "HEAD") && trailers === undefined) {
      stream.respond(withStatus(status, headers), END_STREAM);
      this.#stopRequest();
      return;
    }
    this.begin(status, headers, trailers !== undefined);
    if (trailers) this.trailers = trailers;
    stream.end(body);
    if (!trailers) this.#stopRequest();
  }

  begin(status: number, headers: ResponseHeaders, trailers: boolean): void {
    const { stream } = this;
    if (stream.destroyed || stream.closed) return;
    if (trailers) stream.on("wantTrailers", onWantTrailers);
    stream.respond(withStatus(status, headers), trailers ? WITH_TRAILERS : WITHOUT_TRAILERS);
  }

  write(chunk: Uint8Array): boolean {
    if (!this.stream.writable) return true;
    // Node's own "full" counts bytes, and a small write costs it a hundred times its bytes; so each one is waited for.
    this.#flushed ??= (error) => {
      if (!error) this.receiver?.drained();
    };
    this.stream.write(chunk, this.#flushed);
    return false;
  }

  end(trailers?: ResponseHeaders): void {
    if (trailers) this.trailers = trailers;
    if (this.stream.writable) this.stream.end();
    if (!trailers) this.#stopRequest();
  }

  reset(code: ResetCode): void {
    if (this.stream.destroyed) return;
    this.stream.close(RESET_CODES[code]);
    // At once, or frames of the stream that are in the same read are still handed to it, one by one.
    this.stream.destroy();
  }

  /**
   * The answer is complete while the request is not: once everything has left and the rest does not come, the caller is
   * told to stop sending, without an error (RFC 9113 §8.1).
   */
  #stopRequest(): void {
    if (this.requestComplete) return;
    const { stream } = this;
    if (stream.writableFinished) stopRequestLater(stream);
    else stream.once("finish", onFinish);
  }
}

function onData(this: ServerHttp2Stream, chunk: Buffer): void {
  (this as CarriedStream)[CALL]?.receiver?.data(chunk);
}

function onEnd(this: ServerHttp2Stream): void {
  const call = (this as CarriedStream)[CALL];
  // Node reports an end also to a request that was cut; half a request must never run.
  if (call === undefined || this.aborted) return;
  call.requestComplete = true;
  call.receiver?.complete();
}

function onClose(this: ServerHttp2Stream): void {
  const call = (this as CarriedStream)[CALL];
  // Node's handle of a closed stream, and with it the stream, lives until the next full collection; without this
  // the call would be copied to the old generation with it, and that is a tenth of the CPU of a call.
  (this as CarriedStream)[CALL] = undefined;
  call?.close();
}

function onWantTrailers(this: ServerHttp2Stream): void {
  const call = (this as CarriedStream)[CALL];
  this.sendTrailers(mutable(call?.trailers ?? {}));
  if (!call?.requestComplete) stopRequestLater(this);
}

function onFinish(this: ServerHttp2Stream): void {
  stopRequestLater(this);
}

/** What comes meanwhile is thrown away. */
function stopRequestLater(stream: ServerHttp2Stream): void {
  setTimeout(stopRequest, STALLED_REQUEST_MS, stream).unref();
}

function stopRequest(stream: ServerHttp2Stream): void {
  if ((stream as CarriedStream)[CALL]?.requestComplete === false) stream.close(RESET_CODES.NO_ERROR);
}

/** Node answers 200 when it is told nothing, and copies what it is given. */
function withStatus(status: number, headers: ResponseHeaders): Record<string, string | string[]> {
  return mutable(status === 200 ? headers : { ":status": String(status), ...headers });
}

/** Node's types want arrays that may be changed; it changes none. */
function mutable(headers: ResponseHeaders): Record<string, string | string[]> {
  return headers as Record<string, string | string[]>;
}

function doNothing(): void {}
