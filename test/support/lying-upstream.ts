import { createServer, type IncomingMessage, type ServerResponse } from "node:http";

/** How an operation ends when nobody cancels it. */
export type Ending = "response" | "error";

/** The truth about an operation. Moments are `Date.now()`. */
export interface TrueOperation {
  readonly name: string;
  readonly createdAt: number;
  endsAt: number;
  readonly ending: Ending;
  /** When a cancel was applied, and when it takes effect. */
  cancelledAt?: number;
  cancelEndsAt?: number;
}

/** One request as it arrived. */
export interface Arrival {
  readonly kind: "get" | "list" | "cancel";
  readonly name: string;
  readonly at: number;
  /** Whether the answer to a get says that the operation is done. */
  readonly saysDone: boolean;
}

/** What is done with a cancel that arrives. */
export interface CancelAnswer {
  /** Whether it has its effect. Default true. */
  readonly applied?: boolean;
  /** Instead of the true answer. */
  readonly instead?: { readonly status: number; readonly body: object } | "reset";
  readonly delayMs?: number;
}

/** An operation as a read shows it. */
interface Shown {
  readonly name: string;
  readonly done?: boolean;
  readonly metadata: object;
}

/** How the upstream lies; what is absent is true. */
export interface Lies {
  /** How old the state is that a read shows, milliseconds. */
  lag?(kind: Arrival["kind"], operation: TrueOperation): number;
  /** Whether a list leaves an operation out. */
  omits?(operation: TrueOperation): boolean;
  /** Added to the units done that a read shows. */
  countersOff?(operation: TrueOperation): number;
  /** Whether reads hide that a cancel was requested. */
  hidesCancel?(operation: TrueOperation): boolean;
  /** The `nth` cancel of an operation. */
  cancel?(operation: TrueOperation, nth: number): CancelAnswer;
  /** From a cancel to its effect, milliseconds. Default 300. */
  cancelEffect?(operation: TrueOperation): number;
}

const UNITS = 1_000;

/** A Healthcare operations API on a socket that knows the truth and says something else; it counts what it is asked. */
export class LyingUpstream {
  readonly operations = new Map<string, TrueOperation>();
  readonly arrivals: Arrival[] = [];
  readonly lies: Lies;
  private readonly server = createServer((request, response) => this.serve(request, response));

  private constructor(lies: Lies) {
    this.lies = lies;
    this.server.keepAliveTimeout = 60_000;
  }

  static async start(lies: Lies): Promise<LyingUpstream> {
    const upstream = new LyingUpstream(lies);
    await new Promise<void>((resolve) => upstream.server.listen(0, "127.0.0.1", resolve));
    return upstream;
  }

  get endpoint(): string {
    const address = this.server.address();
    if (address === null || typeof address === "string") throw new Error("a TCP server has a port");
    return `http://127.0.0.1:${address.port}`;
  }

  /** Begins an operation that ends by itself after so long. */
  begin(name: string, durationMs: number, ending: Ending = "response", ageMs = 0): TrueOperation {
    const now = Date.now();
    const operation = { name, createdAt: now - ageMs, endsAt: now + durationMs, ending };
    this.operations.set(name, operation);
    return operation;
  }

  /** When it is, or was, over. */
  endOf({ endsAt, cancelEndsAt }: TrueOperation): number {
    return Math.min(endsAt, cancelEndsAt ?? Number.POSITIVE_INFINITY);
  }

  wasCancelled({ endsAt, cancelEndsAt }: TrueOperation): boolean {
    return cancelEndsAt !== undefined && cancelEndsAt < endsAt;
  }

  /** The requests of a kind for a name, in their order. */
  asked(kind: Arrival["kind"], name: string): Arrival[] {
    return this.arrivals.filter((arrival) => arrival.kind === kind && arrival.name === name);
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private serve(request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url ?? "", "http://upstream");
    const path = decodeURIComponent(url.pathname).replace(/^\/v1(?:beta1)?\//, "");
    const name = path.replace(/:cancel$/, "");
    const kind = path.endsWith(":cancel") ? "cancel" : path.endsWith("/operations") ? "list" : "get";
    const operation = this.operations.get(name);
    const shown = kind === "get" && operation ? this.show(operation, "get") : undefined;
    this.arrivals.push({ kind, name, at: Date.now(), saysDone: shown?.done === true });
    request.resume();
    if (kind === "list") answer(response, 200, this.list(name, url.searchParams.get("filter") ?? ""));
    else if (!operation) answer(response, 404, failure(404, "NOT_FOUND", "no such operation"));
    else if (shown) answer(response, 200, shown);
    else this.cancel(operation, request, response);
  }

  private cancel(operation: TrueOperation, request: IncomingMessage, response: ServerResponse): void {
    const nth = this.asked("cancel", operation.name).length;
    const { applied = true, instead, delayMs = 0 } = this.lies.cancel?.(operation, nth) ?? {};
    const now = Date.now();
    const done = now >= this.endOf(operation);
    if (applied && !done && operation.cancelledAt === undefined) {
      operation.cancelledAt = now;
      operation.cancelEndsAt = now + (this.lies.cancelEffect?.(operation) ?? 300);
    }
    setTimeout(() => {
      if (instead === "reset") request.socket.resetAndDestroy();
      else if (instead) answer(response, instead.status, instead.body);
      else if (done)
        answer(response, 400, failure(400, "FAILED_PRECONDITION", "the operation has already completed"));
      else answer(response, 200, {});
    }, delayMs);
  }

  private list(parent: string, filter: string): object {
    const operations = [...this.operations.values()]
      .filter(({ name }) => name.startsWith(`${parent}/`))
      .filter((operation) => !this.lies.omits?.(operation))
      .map((operation) => this.show(operation, "list"))
      .filter(({ done }) => filter !== "done:false" || !done);
    return { operations };
  }

  /** The operation as it is, or was, with its lies. */
  private show(operation: TrueOperation, kind: Arrival["kind"]): Shown {
    const { name, createdAt, endsAt, ending, cancelledAt } = operation;
    const at = Date.now() - (this.lies.lag?.(kind, operation) ?? 0);
    const end = this.endOf(operation);
    const done = at >= end;
    const share = Math.min(Math.max((Math.min(at, end) - createdAt) / Math.max(endsAt - createdAt, 1), 0), 1);
    const off = done ? 0 : (this.lies.countersOff?.(operation) ?? 0);
    const success = Math.max(Math.floor(UNITS * share) + off, 0);
    const requested = cancelledAt !== undefined && at >= cancelledAt && !this.lies.hidesCancel?.(operation);
    return {
      name,
      metadata: {
        "@type": "type.googleapis.com/google.cloud.healthcare.v1beta1.OperationMetadata",
        createTime: new Date(createdAt).toISOString(),
        ...(done && { endTime: new Date(end).toISOString() }),
        ...(requested && { cancelRequested: true }),
        counter: { success: String(success), pending: String(Math.max(UNITS - success, 0)) },
      },
      ...(done && { done, ...this.result(operation, ending) }),
    };
  }

  private result(operation: TrueOperation, ending: Ending): object {
    if (this.wasCancelled(operation)) return { error: { code: 1, message: "cancelled" } };
    if (ending === "error") return { error: { code: 13, message: "it broke" } };
    return { response: { "@type": "type.googleapis.com/google.protobuf.Empty" } };
  }
}

/** The body of an error as Google's APIs have it. */
export function failure(code: number, status: string, message: string): object {
  return { error: { code, status, message } };
}

function answer(response: ServerResponse, status: number, body: object): void {
  const text = JSON.stringify(body);
  response
    .writeHead(status, {
      "content-type": "application/json; charset=UTF-8",
      "content-length": Buffer.byteLength(text),
    })
    .end(text);
}
