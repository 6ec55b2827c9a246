import { create, toBinary, toJsonString } from "@bufbuild/protobuf";
import { ConnectError } from "@connectrpc/connect";
import {
  ListOperationsRequestSchema,
  type ListOperationsResponse,
  type Operation,
  OperationSchema,
} from "../../../gen/google/longrunning/operations_pb.ts";
import { gatewayError, ownReason } from "../../errors/reasons.ts";
import { errorOf } from "../../errors/thrown.ts";
import { registry } from "../../lib/any-registry.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Encoded } from "../../lib/encoded.ts";
import type { OperationsApi } from "../../upstream/operations-api.ts";
import { Observation } from "../facts/observation.ts";
import { type FailureMeaning, retryAfter } from "../facts/read-failure.ts";
import type { DueQueue } from "../schedule/due-queue.ts";
import type { Poll, ReadScope, ReadTicket } from "../schedule/read-scope.ts";
import { MIN_INTERVAL_MS } from "../schedule/schedule.ts";
import type { UpstreamClock } from "../schedule/upstream-clock.ts";
import { EngineCall } from "./engine-call.ts";
import { READ_TIMEOUT_MS } from "./read-collapse.ts";

/** Operations asked for in a page. The upstream may send fewer. */
const PAGE_SIZE = 500;

/** A page size is not lowered below this when pages are too large for the gateway to read. */
const MIN_PAGE_SIZE = 10;

/** Pages of one pass at most: an upstream that never comes to an end is given up. */
const MAX_PAGES = 1_000;

/** What is listed, and with which right. */
export interface ListTarget {
  readonly parent: string;
  readonly filter: string;
  readonly authorization: string | undefined;
  readonly scope: ReadScope;
}

/** What a listing works with. */
export interface ListTools {
  readonly api: OperationsApi;
  readonly clock: Clock;
  /** For what callers are told of times, see steady-clock.ts. */
  readonly steady: Clock;
  readonly upstreamClock: UpstreamClock;
  readonly meaningOf: (error: ConnectError) => FailureMeaning;
}

/** Told how a pass over the pages goes. */
export interface ListListener {
  /** The first page of a pass is asked for now (on the monotonic clock). */
  begins(now: number): void;
  /** A page has come: what it holds, in its order. */
  page(seen: readonly Observation[]): void;
  /** The pass is over. `whole`: every page came, and the upstream says that it has left nothing out. */
  complete(whole: boolean, pages: number): void;
  /** The pass broke off after so many pages. Refused pages do not count: they are asked for again. */
  failed(error: ConnectError, pages: number): void;
}

/** One pass over the pages of a collection after another, each page a poll within the budget of its scope. */
export class Listing implements Poll {
  due = 0;
  place = -1;
  queue: DueQueue<Poll> | undefined;
  urgent = false;
  readonly #target: ListTarget;
  readonly #tools: ListTools;
  readonly #listener: ListListener;
  #pageSize = PAGE_SIZE;
  #pageToken = "";
  /** The token of an earlier page of this pass, to see whether they go round in a ring. */
  #milestone = "";
  #pages = 0;
  #whole = true;
  #call: EngineCall | undefined;

  constructor(target: ListTarget, tools: ListTools, listener: ListListener) {
    this.#target = target;
    this.#tools = tools;
    this.#listener = listener;
  }

  /** A pass is under way or due. */
  get running(): boolean {
    return this.#call !== undefined || this.queue !== undefined;
  }

  /** A page is under way, or one has come in this pass already. */
  get begun(): boolean {
    return this.#call !== undefined || this.#pages > 0;
  }

  /** Begins a pass at `due`; moves a pass that has not begun. */
  start(due: number): void {
    if (this.begun) return;
    this.#target.scope.schedule(this, due);
  }

  /** Gives up the pass. */
  stop(): void {
    this.#target.scope.unschedule(this);
    this.#call?.end(gatewayError("CALLER_GONE", "nobody waits for this list any more"));
    this.#call = undefined;
    this.#reset();
  }

  send(ticket: ReadTicket): boolean {
    const { clock, api } = this.#tools;
    const call = new EngineCall({
      clock,
      authorization: this.#target.authorization,
      requestId: "poll",
      deadline: ticket.sentAt + READ_TIMEOUT_MS,
      retry: false,
      background: { waits: false },
      timed: true,
    });
    this.#call = call;
    if (this.#pageToken === "") this.#listener.begins(ticket.sentAt);
    const readTime = this.#tools.steady.now();
    let open = true;
    const finish = (result: Encoded<ListOperationsResponse> | ConnectError): void => {
      if (!open) return;
      open = false;
      call.settled();
      const mine = this.#call === call;
      if (mine) this.#call = undefined;
      this.#tools.upstreamClock.answered(call.answer);
      this.#account(ticket, result);
      if (!mine) return;
      if (result instanceof ConnectError) this.#broken(result);
      else this.#arrived(result.toMessage(), ticket, readTime);
    };
    call.onEnd({ callEnded: finish });
    api.list(this.#request(), call).then(finish, (cause) => finish(errorOf(cause)));
    return true;
  }

  #request() {
    const { parent, filter } = this.#target;
    return create(ListOperationsRequestSchema, {
      name: parent,
      filter,
      pageSize: this.#pageSize,
      pageToken: this.#pageToken,
    });
  }

  #account(ticket: ReadTicket, result: object): void {
    const failure = result instanceof ConnectError ? result : undefined;
    const limited = failure !== undefined && this.#tools.meaningOf(failure) === "limited";
    this.#target.scope.settled(ticket, { limited, retryAfterMs: failure && retryAfter(failure) });
  }

  #arrived(page: ListOperationsResponse, ticket: ReadTicket, readTime: number): void {
    this.#pages++;
    if (page.unreachable.length > 0) this.#whole = false;
    // One without a name can be neither told from others nor read again.
    const named = page.operations.filter(({ name }) => name !== "");
    const seen = named.map(
      (operation) => new Observation(encodeOperation(operation), ticket.sentAt, readTime),
    );
    const token = page.nextPageToken;
    const pages = this.#pages;
    // A token that comes again, or pages without end, would keep the pass running for ever.
    const stuck =
      token !== "" && (token === this.#pageToken || token === this.#milestone || pages >= MAX_PAGES);
    // Brent's way to find a ring of any length: the token of each power of two is waited for again.
    if ((pages & (pages - 1)) === 0) this.#milestone = token;
    const whole = this.#whole && !stuck;
    if (token !== "" && !stuck) {
      this.#pageToken = token;
      // A pass is one thing: its next page is due since the first one was.
      this.#target.scope.schedule(this, this.due);
      this.#listener.page(seen);
      return;
    }
    this.#reset();
    this.#listener.page(seen);
    this.#listener.complete(whole, pages);
  }

  #broken(error: ConnectError): void {
    if (this.#tools.meaningOf(error) === "limited") {
      this.#target.scope.schedule(this, this.#tools.clock.monotonic() + MIN_INTERVAL_MS);
      return;
    }
    const pages = this.#pages;
    const tooLarge = ownReason(error) === "LIST_TOO_LARGE";
    if (tooLarge && this.#pageSize > MIN_PAGE_SIZE) {
      this.#pageSize = Math.max(Math.floor(this.#pageSize / 4), MIN_PAGE_SIZE);
      this.#target.scope.schedule(this, this.due);
      return;
    }
    this.#reset();
    this.#listener.failed(error, pages);
  }

  #reset(): void {
    this.#pageToken = "";
    this.#milestone = "";
    this.#pages = 0;
    this.#whole = true;
  }
}

/** An operation out of a list, as the upstream stage would hand it out alone. */
function encodeOperation(operation: Operation): Encoded<Operation> {
  let binary: Uint8Array | undefined;
  let json: Uint8Array | undefined;
  return {
    encoded: true,
    schema: OperationSchema,
    toBinary: () => {
      binary ??= toBinary(OperationSchema, operation);
      return binary;
    },
    toJson: () => {
      json ??= new TextEncoder().encode(toJsonString(OperationSchema, operation, { registry }));
      return json;
    },
    toMessage: () => operation,
  };
}
