import type { DescMethod, Message, Registry } from "@bufbuild/protobuf";
import { ConnectError } from "@connectrpc/connect";
import { finishError, REQUEST_ID_HEADER } from "../errors/fit.ts";
import { gatewayError } from "../errors/reasons.ts";
import { type EndListener, EndListeners } from "../lib/end-listeners.ts";
import type { Expiring } from "../lib/timer-wheel.ts";
import { readTraceContext, type TraceContext } from "../lib/trace-context.ts";
import type { Receiver, TransportCall } from "../listen/transport.ts";
import type { Codec } from "../transcode/message-codec.ts";
import type { ProtocolName } from "./call.ts";
import { type Negotiated, negotiateCompression } from "./compression.ts";
import type { Wire } from "./content-type.ts";
import { claimsTooMuch, tooLarge } from "./envelope.ts";
import { Metadata } from "./metadata.ts";
import type { Path } from "./path.ts";
import type { Answering, Query } from "./protocol.ts";
import { proxyTimeoutMs } from "./proxy-timeout.ts";
import { RequestBody } from "./request-body.ts";
import { requestIdOf } from "./request-id.ts";
import type { FinishedCall, Stages } from "./stages.ts";

/**
 * One RPC on the lean path, from its header block to its last byte: the {@link Call} of its handler, the receiver of
 * its carrier and its own entry in the timer wheel are one object, because each object of a call is paid for in
 * garbage. Nothing in it is made before somebody asks for it. Longer than other files for the same reason: all of its
 * methods work on the state of the one object.
 */
export abstract class RpcCall<H = unknown> implements FinishedCall, Answering, Receiver, Expiring {
  readonly path: Path;
  readonly carrier: TransportCall;
  readonly method: DescMethod;
  readonly wire: Wire;
  readonly codec: Codec;
  readonly openedAt: number;
  readonly deadline: number;
  readonly compression: Negotiated;

  requestBytes = 0;
  responseBytes = 0;
  responseMessages = 0;
  ended: ConnectError | undefined;
  upstreamOutcome: { readonly httpStatus: number; readonly attempts: number } | undefined;
  /** Metadata that the handler has set, if it has. */
  headerMetadata: Metadata | undefined;
  trailerMetadata: Metadata | undefined;

  due = 0;
  next: Expiring | undefined;
  previous: Expiring | undefined;

  /** `reading` the request, `running` its handler, `answered` once the end of the answer is decided. */
  protected phase: "reading" | "running" | "answered" = "reading";
  protected readonly handler: H;
  readonly #query: Query | undefined;
  readonly #refusal: ConnectError | undefined;
  /** The usual body is one piece; only more than one are collected. */
  #body: Buffer | RequestBody | undefined;
  /** The two things that a handler waits for: the whole request, and admission. */
  #arrived = false;
  #admitted = true;
  /** The answer was decided before the wheel came by last: what is left of it has not left since. */
  #leaving = false;
  #listeners: EndListeners | undefined;
  #abort: AbortController | undefined;
  #requestId: string | undefined;

  constructor(
    path: Path,
    carrier: TransportCall,
    method: DescMethod,
    wire: Wire,
    query: Query | undefined,
    handler: H,
  ) {
    const { headers } = carrier;
    const timeout = wire.protocol.readTimeout(headers);
    this.path = path;
    this.carrier = carrier;
    this.method = method;
    this.wire = wire;
    this.codec = path.codecs[wire.codec];
    this.openedAt = path.clock.monotonic();
    const ms = timeout.ms ?? Number.POSITIVE_INFINITY;
    this.deadline =
      this.openedAt + (method.methodKind === "unary" ? Math.min(ms, proxyTimeoutMs(headers)) : ms);
    this.compression = query
      ? negotiateCompression(query.encoding, headers["accept-encoding"], "accept-encoding")
      : wire.protocol.readCompression(headers);
    this.#query = query;
    this.handler = handler;
    this.#refusal = this.compression.problem ?? timeout.problem;
  }

  /** Lets the request in, unless its header block alone decides the answer. */
  start(): void {
    const { path, carrier } = this;
    path.openCalls++;
    carrier.receive(this);
    const length = Number(carrier.headers["content-length"] ?? 0);
    if (this.#refusal) this.fail(this.#refusal);
    else if (path.unsentBytes > path.limits.unsentBytes) this.fail(overloaded());
    else if (this.deadline <= this.openedAt) this.end(deadlineExceeded());
    else if (length > this.#bodyLimit()) this.fail(tooLarge(path.limits.requestMessageBytes));
    else {
      path.wheel.set(this, Math.min(this.deadline, this.openedAt + path.limits.requestArrivalMs));
      if (path.stages.admit) this.#admit(path.stages.admit);
    }
  }

  get protocol(): ProtocolName {
    return this.wire.protocol.name;
  }

  /** Content type of the answer. */
  get contentType(): string {
    return this.wire.contentType;
  }

  get registry(): Registry {
    return this.path.registry;
  }

  get peer(): string {
    return this.carrier.peer;
  }

  get requestId(): string {
    this.#requestId ??= requestIdOf(this.header(REQUEST_ID_HEADER), this.path.requestIds);
    return this.#requestId;
  }

  get trace(): TraceContext | undefined {
    const traceparent = this.header("traceparent");
    return traceparent === undefined ? undefined : readTraceContext(traceparent, this.header("tracestate"));
  }

  header(name: string): string | undefined {
    return this.carrier.headers[name];
  }

  get responseHeader(): Metadata {
    this.headerMetadata ??= new Metadata();
    return this.headerMetadata;
  }

  get responseTrailer(): Metadata {
    this.trailerMetadata ??= new Metadata();
    return this.trailerMetadata;
  }

  get signal(): AbortSignal {
    if (this.#abort === undefined) {
      this.#abort = new AbortController();
      if (this.ended) this.#abort.abort(this.ended);
    }
    return this.#abort.signal;
  }

  onEnd(listener: EndListener): void {
    if (this.ended) listener.callEnded(this.ended);
    else if (this.phase !== "answered") {
      this.#listeners ??= new EndListeners();
      this.#listeners.add(listener);
    }
  }

  offEnd(listener: EndListener): void {
    this.#listeners?.delete(listener);
  }

  data(chunk: Buffer): void {
    if (this.phase !== "reading") return;
    const { path } = this;
    const limit = path.limits.requestMessageBytes;
    const before = this.#body;
    if (before === undefined) {
      this.#body = chunk;
      if (this.wire.protocol.enveloped && claimsTooMuch(chunk, limit)) this.fail(tooLarge(limit));
    } else {
      const body = before instanceof RequestBody ? before : new RequestBody(before);
      body.add(chunk);
      this.#body = body;
      if (body.pieces > path.limits.requestPieces) this.cut(inTooManyPieces(path.limits.requestPieces));
    }
    if (this.#body.length > this.#bodyLimit()) this.fail(tooLarge(limit));
  }

  complete(): void {
    this.#arrived = true;
    if (this.phase === "reading" && this.#admitted) this.#run();
  }

  drained(): void {}

  closed(): void {
    if (this.phase !== "answered") {
      callerGone ??= gatewayError("CALLER_GONE", "the caller went away");
      this.ended = callerGone;
      this.decided(callerGone);
      this.#tell(callerGone);
    }
    this.path.unsentBytes -= this.unsentBytes;
    this.path.wheel.forget(this);
  }

  /**
   * A call is set into the wheel once, for whatever may come first, and stays there: that is cheaper than to move it
   * at every step. What it is due for is found out here.
   */
  expire(now: number): void {
    const { wheel, limits } = this.path;
    if (this.phase === "answered") {
      if (this.#leaving) this.carrier.reset("CANCEL");
      this.#leaving = true;
      wheel.set(this, now + limits.answerStallMs);
    } else if (now >= this.deadline) this.end(deadlineExceeded());
    else if (this.phase === "reading" && now >= this.openedAt + limits.requestArrivalMs) {
      // What came while this process stood still is not late, and is read before the wheel comes by again.
      if (this.due <= this.openedAt + limits.requestArrivalMs) wheel.set(this, now);
      else this.end(arrivedTooLate(limits.requestArrivalMs));
    } else this.stillRunning(now);
  }

  /** Ends the call from outside its handler: answers with `why`, and tells whoever works for the call to stop. */
  end(why: ConnectError): void {
    if (this.phase === "answered") return;
    this.ended = why;
    this.fail(why);
    this.#tell(why);
  }

  /** Ends the call without an answer, for a caller that costs more than one with every frame. */
  cut(why: ConnectError): void {
    if (this.phase === "answered") return;
    this.ended = why;
    this.decided(why);
    this.carrier.reset("ENHANCE_YOUR_CALM");
    this.#tell(why);
  }

  /** Answers with an error, or with INTERNAL for anything else that was thrown; of no effect on an answered call. */
  fail(thrown: unknown): void {
    if (this.phase === "answered") return;
    const error = finishError(thrown, this.requestId);
    let finished = this.path.stages.amendError?.(error) ?? error;
    try {
      this.sendError(finished);
    } catch (bug) {
      // A header that Node refuses, say: better no answer than half of one.
      this.carrier.reset("INTERNAL_ERROR");
      finished = finishError(bug, this.requestId);
    }
    this.decided(finished);
  }

  /** Runs the handler. Must not throw. */
  protected abstract invoke(request: Message): void;

  protected sendError(error: ConnectError): void {
    this.wire.protocol.fail(this, error);
  }

  /** Once the end of the answer is decided: how many bytes of messages the carrier has got and may still hold. */
  protected get unsentBytes(): number {
    return this.responseBytes;
  }

  /** The wheel found the call due while its handler runs and has time left. */
  protected stillRunning(_now: number): void {
    this.path.wheel.set(this, this.deadline);
  }

  /** The end of the answer is decided: from now on only the carrier has work with this call. */
  protected decided(error: ConnectError | undefined): void {
    const { path } = this;
    this.phase = "answered";
    path.openCalls--;
    path.unsentBytes += this.unsentBytes;
    path.stages.finished?.(this, error);
  }

  #bodyLimit(): number {
    return this.wire.protocol.bodyLimit(this.path.limits.requestMessageBytes);
  }

  /** Whatever becomes of a stage that decides here, it is the end of this call at most. */
  #admit(admit: NonNullable<Stages["admit"]>): void {
    let verdict: ReturnType<typeof admit>;
    try {
      verdict = admit(this);
    } catch (error) {
      verdict = Promise.reject(error);
    }
    if (verdict === undefined) return;
    if (verdict instanceof ConnectError) {
      this.fail(verdict);
      return;
    }
    this.#admitted = false;
    verdict.then(
      (refusal) => {
        this.#admitted = true;
        if (refusal) this.fail(refusal);
        else if (this.#arrived && this.phase === "reading") this.#run();
      },
      (error: unknown) => this.fail(error),
    );
  }

  #run(): void {
    const { path, wire, method } = this;
    this.phase = "running";
    let request: Message;
    try {
      const bytes = wire.protocol.readMessage(
        this.#query ? this.#query.readMessage() : bytesOf(this.#body),
        this.compression,
        path.limits.requestMessageBytes,
      );
      this.requestBytes = bytes.byteLength;
      // A stream lives long, and its request may keep a whole read buffer alive.
      this.#body = undefined;
      request = this.codec.decode(method.input, bytes);
    } catch (error) {
      this.fail(error);
      return;
    }
    this.invoke(request);
  }

  #tell(why: ConnectError): void {
    this.#listeners?.tell(why);
    this.#abort?.abort(why);
  }
}

/**
 * The same for all, since nobody can be answered with it: ten thousand callers may go in the same moment. Made for the
 * first of them, since the first error of a process makes Node.js load its fetch, an eighth of a start.
 */
let callerGone: ConnectError | undefined;

function bytesOf(body: Buffer | RequestBody | undefined): Buffer {
  return body instanceof RequestBody ? body.bytes() : (body ?? NOTHING);
}

const NOTHING = Buffer.alloc(0);

/** The caller's deadline has passed. */
export function deadlineExceeded(): ConnectError {
  return gatewayError("DEADLINE_PASSED", "the deadline of the call has passed");
}

function overloaded(): ConnectError {
  return gatewayError("GATEWAY_OVERLOADED", "too many answers wait for callers that do not read; try again", {
    retryDelayMs: 1_000,
  });
}

function inTooManyPieces(limit: number): ConnectError {
  return gatewayError("REQUEST_TOO_LARGE", `the request came in more than ${limit} pieces`);
}

function arrivedTooLate(limitMs: number): ConnectError {
  return gatewayError("DEADLINE_PASSED", `the request did not arrive within ${limitMs} ms`);
}
