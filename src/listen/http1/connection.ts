import type { Socket } from "node:net";
import { CHUNKED } from "../../lib/http1/body-length.ts";
import { ChunkedBody } from "../../lib/http1/chunked-body.ts";
import type { TurnEnd } from "../../lib/turn-end.ts";
import type { CarrierContext } from "../carrier.ts";
import { peerOf } from "../peer-address.ts";
import type { App } from "../transport.ts";
import { CONTINUE, Http1Call } from "./call.ts";
import type { ConnectionFields } from "./connection-fields.ts";
import { FixedBody } from "./fixed-body.ts";
import { HeadMemory } from "./head-memory.ts";
import { Output, type Sent } from "./output.ts";
import { Patience, type Phase } from "./patience.ts";
import { BAD_REQUEST, FOREIGN, REQUEST_TIMEOUT, type Refusal } from "./refusal.ts";
import type { RequestBody } from "./request-body.ts";
import type { RequestHead } from "./request-head.ts";
import { Unread } from "./unread.ts";

/** How many bytes a caller may still send after the last answer, before the connection is cut (RFC 9112 §9.6). */
const LINGER_BYTES = 1_048_576;

/** How much of pipelined requests is kept, while one is answered, before the connection is no longer read. */
const PIPELINE_BYTES = 16_384;

/** What all connections of a carrier share. */
export interface Shared extends CarrierContext {
  readonly app: App;
  readonly fields: ConnectionFields;
  readonly turnEnd: TurnEnd;
  readonly connections: Set<Http1Connection>;
}

/**
 * One connection of HTTP/1.1. Requests are read one at a time, the next one when the answer to the last has left: so
 * the answers are in order, and a caller who does not read them cannot make us keep many.
 *
 * A caller that shuts down its side while it waits is taken to have gone: a wait may last an hour, and nothing else
 * would tell that nobody waits any more.
 */
export class Http1Connection {
  readonly secure: boolean;
  readonly output: Output;
  /** For the output: a piece of the answer has left. */
  readonly onWritten: Sent;
  readonly #onAnswered: Sent;
  readonly #socket: Socket;
  readonly #shared: Shared;
  readonly #timeToGo: number;
  readonly #patience: Patience;
  readonly #unread = new Unread();
  readonly #heads: HeadMemory;
  #peer: string | undefined;
  #call: Http1Call | undefined;
  #body: RequestBody = NO_BODY;
  /** The receiver of the call has not been told the end of the body. */
  #reading = false;
  #bodyPaused = false;
  #paused = false;
  /** The answer that is being sent is the last one. */
  #last = false;
  #closing = false;
  #lingerBytes = LINGER_BYTES;
  #requests = 0;

  constructor(socket: Socket, shared: Shared) {
    this.#socket = socket;
    this.#shared = shared;
    this.#timeToGo = shared.departure.timeToGo();
    this.#patience = new Patience(shared.limits, shared.clock.monotonic());
    this.secure = "encrypted" in socket;
    this.output = new Output(socket, shared.turnEnd);
    this.#heads = new HeadMemory(shared.limits);
    this.#onAnswered = (error) => {
      if (!error) this.#answered();
    };
    this.onWritten = (error) => {
      if (!error && this.#call?.answered === "begun") this.#call.receiver?.drained();
    };
    socket.on("data", (chunk) => this.#arrived(chunk));
    socket.on("close", () => this.#closed());
    shared.connections.add(this);
  }

  /** Address of the TCP peer, `host:port`; `unix` for a local socket. */
  get peer(): string {
    this.#peer ??= peerOf(this.#socket);
    return this.#peer;
  }

  /** Ends the connection, whatever is under way on it. */
  cut(): void {
    this.output.cut();
  }

  /** Ends the connection if no request is here, not even a part of one. */
  cutIdle(): void {
    if (this.#call === undefined && this.#unread.length === 0 && !this.#closing) this.cut();
  }

  /** Ends the connection if `call` is the one under way on it. */
  cutCall(call: Http1Call): void {
    if (call === this.#call) this.cut();
  }

  /** The fields of the answer to `call` that are about the connection. Decides whether it is the last one. */
  fieldsFor(call: Http1Call): string {
    const { departure, fields } = this.#shared;
    // What the caller still sends would have to be read to its end before the next request can be told from it.
    this.#last = !call.requestComplete || !call.head.keepAlive || departure.due(this.#timeToGo);
    return fields.lines(this.#last);
  }

  /** Sends what is left of the answer to `call`. */
  finish(call: Http1Call, text: string, bytes?: Uint8Array): void {
    this.output.send(text, bytes, this.#onAnswered);
    if (call.requestComplete) return;
    // Nobody wants the rest of the request, but it has to be read: a caller may look for its answer only after it.
    this.#bodyPaused = false;
    this.#readOn();
  }

  pauseBody(call: Http1Call): void {
    if (call !== this.#call || call.answered === "ended") return;
    this.#bodyPaused = true;
    this.#readOn();
  }

  resumeBody(call: Http1Call): void {
    if (call !== this.#call || !this.#bodyPaused) return;
    this.#bodyPaused = false;
    // Later: the receiver is in the middle of something.
    process.nextTick(advance, this);
  }

  /** Looks whether the connection takes longer than it may. Called again and again. */
  sweep(now: number): void {
    const phase = this.#phase();
    if (!this.#patience.isOver(phase, this.#requests, now)) return;
    if (phase === "unread") this.#call?.probe();
    else if (phase === "head" && this.#unread.length > 0) this.#refuse(REQUEST_TIMEOUT);
    else this.cut();
  }

  /** Reads on in what has arrived, as far as that can be now. */
  advance(): void {
    if (this.#closing || this.#socket.destroyed) return;
    const call = this.#call ?? this.#readHead();
    if (call !== undefined) this.#readBody(call);
    this.#readOn();
  }

  #arrived(chunk: Buffer): void {
    if (this.#closing) this.#linger(chunk.length);
    else {
      this.#unread.push(chunk);
      this.advance();
    }
  }

  /** Begins the next request, if its head is here. */
  #readHead(): Http1Call | undefined {
    const unread = this.#unread;
    if (unread.length === 0) {
      unread.release();
      return undefined;
    }
    const head = this.#heads.read(unread.bytes, unread.start, unread.end);
    if (typeof head === "object") {
      unread.start += head.bytes;
      return this.#open(head);
    }
    if (head !== undefined) this.#refuse(head === FOREIGN && this.#requests > 0 ? BAD_REQUEST : head);
    return undefined;
  }

  #open(head: RequestHead): Http1Call {
    const { bodyBytes } = head;
    const call = new Http1Call(this, head);
    this.#call = call;
    this.#body = bodyBytes === CHUNKED ? new ChunkedBody(this.#shared.limits) : new FixedBody(bodyBytes);
    this.#reading = true;
    this.#bodyPaused = false;
    this.#requests++;
    call.requestComplete = this.#body.isWithin(this.#unread);
    this.#shared.app(call);
    if (head.expectsContinue && call.answered === "no" && bodyBytes !== 0) this.output.send(CONTINUE);
    return call;
  }

  /** Hands on what is here of the body. */
  #readBody(call: Http1Call): void {
    const unread = this.#unread;
    if (!this.#reading || this.#bodyPaused || this.#socket.destroyed) return;
    if (call.answered === "ended" && !call.requestComplete) {
      this.#linger(unread.length);
      unread.start = unread.end;
      return;
    }
    const data = this.#body.read(unread);
    const { progress } = this.#body;
    if (progress === "broken") {
      // Not answered: a second answer to what may be one request to others is how smuggling is found out.
      this.cut();
      return;
    }
    const complete = progress === "complete";
    if (complete) {
      call.requestComplete = true;
      this.#reading = false;
      unread.release();
    }
    if (data) call.receiver?.data(data);
    // Data may be the reason for which the call is cut.
    if (complete && !this.#socket.destroyed) call.receiver?.complete();
  }

  /** Reads, or leaves what comes to the kernel, and so to the caller. */
  #readOn(): void {
    const full = this.#call !== undefined && !this.#reading && this.#unread.length > PIPELINE_BYTES;
    const pause = !this.#closing && (full || this.#bodyPaused);
    if (pause === this.#paused) return;
    this.#paused = pause;
    if (pause) this.#socket.pause();
    else this.#socket.resume();
  }

  #answered(): void {
    const call = this.#call;
    // What was answered without being read is no next request.
    if (this.#reading) this.#body.read(this.#unread);
    // Nor does a pause outlive its call: nobody could end it.
    this.#bodyPaused = false;
    this.#call = undefined;
    call?.receiver?.closed(true);
    if (this.#last) this.#end();
    // A read may have brought a thousand small requests; other connections have their turn between them.
    else if (this.#unread.length > 0) setImmediate(advance, this);
    else this.advance();
  }

  #closed(): void {
    const call = this.#call;
    this.#call = undefined;
    this.#shared.connections.delete(this);
    call?.receiver?.closed(false);
  }

  #refuse(refusal: Refusal): void {
    if (refusal === FOREIGN) {
      this.cut();
      return;
    }
    this.output.send(`HTTP/1.1 ${refusal}\r\n${this.#shared.fields.lines(true)}content-length: 0\r\n\r\n`);
    this.#end();
  }

  /** Nothing more is sent; what still comes is read away for a while. */
  #end(): void {
    this.#closing = true;
    this.output.end();
    this.#linger(this.#unread.length);
    this.#unread.start = this.#unread.end;
    this.#unread.release();
    this.#readOn();
  }

  #linger(bytes: number): void {
    this.#lingerBytes -= bytes;
    if (this.#lingerBytes < 0) this.cut();
  }

  #phase(): Phase {
    if (this.#closing) return "closing";
    if (this.#call === undefined) return this.#unread.length > 0 || this.#requests === 0 ? "head" : "idle";
    if (this.#call.answered === "ended") return "leaving";
    if (this.#reading) return "body";
    return this.#paused ? "unread" : "answer";
  }
}

/** Before the first request. */
const NO_BODY: RequestBody = new FixedBody(0);

function advance(connection: Http1Connection): void {
  connection.advance();
}
