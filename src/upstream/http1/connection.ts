import type { OnReadOpts, Socket } from "node:net";
import type { Clock, Timer } from "../../lib/clock.ts";
import type { RestRequest } from "../../lib/rest.ts";
import type { TurnEnd } from "../../lib/turn-end.ts";
import type { Exchange } from "../exchange.ts";
import { classifySendError, SendFailure } from "../send-failure.ts";
import type { AnswerHead } from "./answer-head.ts";
import { AnswerReader, type AnswerSink } from "./answer-reader.ts";
import type { Connect } from "./connect.ts";
import type { OpenConnections } from "./open-connections.ts";
import type { RequestText } from "./request-text.ts";

/** What the connections to an origin share. */
export interface ConnectionParts {
  readonly connect: Connect;
  readonly requests: RequestText;
  readonly turnEnd: TurnEnd;
  readonly clock: Clock;
  readonly open: OpenConnections;
  /** Milliseconds for TCP and TLS together. */
  readonly connectMs: number;
  /** Milliseconds that an unused connection is kept, unless the upstream says something else, and then at most. */
  readonly keepAliveMs: number;
  readonly keepAliveMaxMs: number;
}

/**
 * A place for one connection to the upstream (HTTP/1.1, RFC 9112), which is made when there is a request, kept, and
 * made again. One request at a time: nothing is pipelined, and nothing is ever sent again.
 */
export class UpstreamConnection implements AnswerSink {
  readonly #parts: ConnectionParts;
  readonly #reader = new AnswerReader(this);
  #socket: Socket | undefined;
  #connecting: Timer | undefined;
  /** The request that has been given to it, and its answer. */
  #exchange: Exchange | undefined;
  #head = "";
  #body: Uint8Array | undefined;
  /** The request has been written: from now on the connection is of no use without its answer. */
  #sent = false;
  #unusedMs = 0;
  #keepAliveMs = 0;

  constructor(parts: ConnectionParts) {
    this.#parts = parts;
  }

  /**
   * Sends a request once; everything that comes of it is told to `exchange`, which may give up as its controller. The
   * connection takes the next one as soon as the exchange is told its end.
   *
   * @param headers flat list of names and values, complete but for host, connection and content-length
   */
  dispatch(request: RestRequest, headers: readonly string[], exchange: Exchange): void {
    try {
      this.#head = this.#parts.requests.head(request, headers);
    } catch (error) {
      // A TypeError, which names what is wrong.
      exchange.onResponseError(error as Error);
      return;
    }
    this.#body = request.body;
    this.#exchange = exchange;
    this.#parts.turnEnd.add(this);
  }

  /** The turn of the event loop in which the request came is over. Called once for each. */
  leave(): void {
    if (this.#socket === undefined) this.#connect();
    else this.#write(this.#socket);
  }

  /** As controller of the exchange: gives up the request that is under way. */
  abort(why: Error): void {
    this.#fail(why);
  }

  /** Closes the connection, if there is one. */
  destroy(): Promise<void> {
    this.#drop();
    return Promise.resolve();
  }

  /** Closes the connection when it has been unused for too long. Called every `ms`; never late, early by `ms` at most. */
  age(ms: number): void {
    if (this.#exchange !== undefined) return;
    this.#unusedMs += ms;
    if (this.#unusedMs >= this.#keepAliveMs) this.#drop();
  }

  onHead({ status, headers }: AnswerHead): void {
    this.#exchange?.onResponseStart(status, headers);
  }

  onData(data: Buffer): void {
    this.#exchange?.onResponseData(this, data);
  }

  #connect(): void {
    const { connect, clock, connectMs, open, keepAliveMs } = this.#parts;
    const onread: OnReadOpts = {
      // One for all connections: what is read is copied before anything else is.
      buffer: READ_BUFFER,
      callback: (size) => {
        if (socket === this.#socket) this.#arrived(socket, size);
        return true;
      },
    };
    const socket = connect(onread, () => {
      if (socket !== this.#socket) return;
      this.#connecting?.cancel();
      this.#connecting = undefined;
      this.#write(socket);
    });
    this.#socket = socket;
    this.#keepAliveMs = keepAliveMs;
    this.#connecting = clock.setTimer(connectMs, () =>
      this.#fail(new SendFailure("connect", false, new Error(`no connection after ${connectMs} ms`))),
    );
    open.add(this);
    socket.on("error", (error) => {
      if (socket === this.#socket)
        this.#broke(classifySendError(error, this.#sent, this.#reader.head !== undefined));
    });
    socket.on("end", () => {
      if (socket === this.#socket) this.#ended();
    });
    socket.on("close", () => {
      if (socket === this.#socket) this.#ended();
    });
  }

  #write(socket: Socket): void {
    const exchange = this.#exchange;
    const body = this.#body;
    exchange?.onRequestStart(this);
    // The exchange may have been given up while the connection was made.
    if (exchange === undefined || exchange !== this.#exchange) return;
    this.#sent = true;
    if (body === undefined || body.byteLength === 0) socket.write(this.#head, "latin1");
    else {
      socket.cork();
      socket.write(this.#head, "latin1");
      socket.write(body);
      socket.uncork();
    }
  }

  #arrived(socket: Socket, size: number): void {
    const exchange = this.#exchange;
    // An answer that nobody asked for would be taken for that to the next request.
    if (exchange === undefined || !this.#sent) {
      this.#drop();
      return;
    }
    const progress = this.#reader.read(READ_BUFFER, size);
    // What came may be a reason to give up.
    if (exchange !== this.#exchange || progress === "more") return;
    if (progress === "malformed")
      this.#fail(new SendFailure("malformed", true, new Error("no answer of HTTP/1.1")));
    else this.#complete(exchange, socket.writableLength === 0 && this.#reader.extraBytes === 0);
  }

  #complete(exchange: Exchange, reusable: boolean): void {
    const { keepAliveMs, keepAliveMaxMs } = this.#parts;
    this.#keepAliveMs = Math.min(this.#reader.head?.keepAliveMs ?? keepAliveMs, keepAliveMaxMs);
    this.#forget();
    if (!reusable || this.#keepAliveMs === 0) this.#drop();
    exchange.onResponseEnd();
  }

  /** The upstream sends no more. */
  #ended(): void {
    const { head, endsHere } = this.#reader;
    if (this.#sent && endsHere && this.#exchange !== undefined) this.#complete(this.#exchange, false);
    else {
      const cause = new Error("the upstream closed the connection");
      this.#broke(new SendFailure(head === undefined ? "reset" : "malformed", this.#sent, cause));
    }
  }

  #broke(failure: SendFailure): void {
    // An idle connection that ends has nothing to do with a request that would leave on it at the end of this turn.
    if (!this.#sent && this.#connecting === undefined) this.#drop();
    else this.#fail(failure);
  }

  #fail(why: Error): void {
    const exchange = this.#exchange;
    const unused = !this.#sent && this.#connecting === undefined;
    this.#forget();
    if (!unused) this.#drop();
    exchange?.onResponseError(why);
  }

  #forget(): void {
    this.#exchange = undefined;
    this.#body = undefined;
    this.#sent = false;
    this.#unusedMs = 0;
    this.#reader.reset();
  }

  #drop(): void {
    this.#connecting?.cancel();
    this.#connecting = undefined;
    this.#parts.open.delete(this);
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.destroy();
  }
}

/** A read of the largest size that Node makes by itself. */
const READ_BUFFER = Buffer.allocUnsafeSlow(64 * 1024);
