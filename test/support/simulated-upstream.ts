import { create, toBinary } from "@bufbuild/protobuf";
import { anyPack, timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { ConnectError } from "@connectrpc/connect";
import { RollbackFhirResourcesResponseSchema } from "../../gen/google/cloud/healthcare/v1/fhir/fhir_pb.ts";
import { OperationMetadataSchema } from "../../gen/google/cloud/healthcare/v1/operation_metadata_pb.ts";
import {
  type ListOperationsRequest,
  type ListOperationsResponse,
  ListOperationsResponseSchema,
  type Operation,
  OperationSchema,
} from "../../gen/google/longrunning/operations_pb.ts";
import { errorFromResponse } from "../../src/errors/from-upstream.ts";
import { gatewayError } from "../../src/errors/reasons.ts";
import type { Encoded } from "../../src/lib/encoded.ts";
import type { EndListener } from "../../src/lib/end-listeners.ts";
import type { Resolvers } from "../../src/lib/resolvers.ts";
import type { OperationsApi, UpstreamCall } from "../../src/upstream/operations-api.ts";
import { encode } from "./encode.ts";
import type { SimulatedClock } from "./simulated-clock.ts";

/** How an operation ends when nobody cancels it. */
export type Ending = "response" | "error" | "nothing";

/** The truth about one operation. Moments are of the simulated monotonic clock. */
export interface SimulatedOperation {
  readonly name: string;
  readonly created: number;
  /** When it ends by itself. */
  endsAt: number;
  readonly ending: Ending;
  /** When a cancel was applied, and when it takes effect. */
  cancelledAt?: number;
  cancelEndsAt?: number;
  deletedAt?: number;
}

/** An HTTP answer that is no success, or a failure without one. */
export type Fault =
  | { readonly status: number; readonly body?: string; readonly headers?: Record<string, string> }
  | "reset";

export type Kind = "get" | "list" | "cancel";

/** How the upstream behaves; what is absent is as it should be. */
export interface Behaviour {
  /** Milliseconds there and back. Default 20. */
  latency?(kind: Kind, name: string): number;
  /** An answer of this instead of the real one. `applied`: what was asked for is done all the same. */
  fault?(
    kind: Kind,
    name: string,
    nth: number,
  ): { readonly fault: Fault; readonly applied?: boolean } | undefined;
  /** How old the state is that a read shows. */
  lag?(kind: Kind, name: string): number;
  /** Whether a list leaves an operation out. */
  omits?(name: string): boolean;
  /** Whether a request at this moment is one too many; milliseconds of Retry-After, 0 for none said. */
  refuses?(now: number): number | undefined;
  /** Whether a token may read and cancel an operation. */
  allows?(authorization: string | undefined, name: string): boolean;
  /** Added to the counters of a read; may make them go back. */
  countersOff?(name: string): number;
  /** From a cancel to its effect. Default 1,500. */
  cancelDelay?(name: string): number;
  /** How far the upstream's clock is ahead of the gateway's, milliseconds; with it, answers have a `date`. */
  readonly clockAhead?: number | undefined;
  /** Operations in a page at most. Default 100. */
  readonly pageSize?: number;
}

/** One request as the upstream has seen it. */
export interface SeenRequest {
  readonly at: number;
  readonly kind: Kind;
  readonly name: string;
  readonly authorization: string | undefined;
  /** When it reached the upstream; `Infinity` until it has. */
  arrived: number;
  /** HTTP status, 0 for a reset. */
  status: number;
}

/** Units that every simulated operation works off. */
const UNITS = 1_000;

const JSON_404 = JSON.stringify({
  error: { code: 404, message: "operation not found", status: "NOT_FOUND" },
});

/** What Healthcare answers to the cancel of an operation that is done. */
const ALREADY_COMPLETED = JSON.stringify({
  error: {
    code: 400,
    message: "Precondition check failed.",
    status: "FAILED_PRECONDITION",
    details: [
      { "@type": "type.googleapis.com/google.rpc.DebugInfo", detail: "operation has already completed" },
    ],
  },
});

/** A Healthcare operations API under simulated time: knows the truth, and tells it as its {@link Behaviour} says. */
export class SimulatedUpstream implements OperationsApi {
  readonly operations = new Map<string, SimulatedOperation>();
  readonly log: SeenRequest[] = [];
  behaviour: Behaviour;
  private readonly clock: SimulatedClock;
  /** Its own wall clock runs on when the gateway's is set. */
  private readonly wallStart: number;
  private readonly counts = new Map<string, number>();

  constructor(clock: SimulatedClock, behaviour: Behaviour = {}) {
    this.clock = clock;
    this.wallStart = clock.wallStart;
    this.behaviour = behaviour;
  }

  /** Begins an operation that ends by itself after so long. */
  start(name: string, durationMs: number, ending: Ending = "response", age = 0): SimulatedOperation {
    const now = this.clock.monotonic();
    const operation = { name, created: now - Math.round(age), endsAt: now + Math.round(durationMs), ending };
    this.operations.set(name, operation);
    return operation;
  }

  /** Requests of a kind, or all. */
  requests(kind?: Kind): SeenRequest[] {
    return kind ? this.log.filter((request) => request.kind === kind) : this.log;
  }

  check(): void {}

  get(name: string, call: UpstreamCall): Promise<Encoded<Operation>> {
    return this.exchange("get", name, call, () => {
      const operation = this.visible(name, call);
      return encode(OperationSchema, this.show(operation, this.shownMoment("get", name)));
    });
  }

  list(request: ListOperationsRequest, call: UpstreamCall): Promise<Encoded<ListOperationsResponse>> {
    return this.exchange("list", request.name, call, () =>
      encode(ListOperationsResponseSchema, this.page(request, call)),
    );
  }

  cancel(name: string, call: UpstreamCall, told: Resolvers<void>): void {
    this.exchange("cancel", name, call, () => this.applyCancel(name, call)).then(
      () => told.resolve(),
      (error) => told.reject(error),
    );
  }

  delete(): Promise<void> {
    return Promise.reject(gatewayError("METHOD_WITHOUT_RULE", "no rule"));
  }

  /** When an operation is, or was, over in truth. */
  endOf(operation: SimulatedOperation): number {
    return Math.min(operation.endsAt, operation.cancelEndsAt ?? Number.POSITIVE_INFINITY);
  }

  isDone(operation: SimulatedOperation, at = this.clock.monotonic()): boolean {
    return at >= this.endOf(operation);
  }

  /** Whether it ended, or will, because it was cancelled. */
  wasCancelled(operation: SimulatedOperation): boolean {
    return operation.cancelEndsAt !== undefined && operation.cancelEndsAt < operation.endsAt;
  }

  /** The operation as it was at a moment. */
  show(operation: SimulatedOperation, at: number): Operation {
    const end = this.endOf(operation);
    const done = at >= end;
    const share = Math.min(
      Math.max(
        (Math.min(at, end) - operation.created) / Math.max(operation.endsAt - operation.created, 1),
        0,
      ),
      1,
    );
    const success = Math.max(
      Math.floor(UNITS * share) + (done ? 0 : (this.behaviour.countersOff?.(operation.name) ?? 0)),
      0,
    );
    const metadata = create(OperationMetadataSchema, {
      apiMethodName: "google.cloud.healthcare.v1.fhir.FhirStoreService.RollbackFhirResources",
      createTime: timestampFromMs(this.wall(operation.created)),
      cancelRequested: operation.cancelledAt !== undefined && at >= operation.cancelledAt,
      progress: {
        case: "counter",
        value: { pending: BigInt(Math.max(UNITS - success, 0)), success: BigInt(success) },
      },
    });
    if (done) metadata.endTime = timestampFromMs(this.wall(end));
    const shown = create(OperationSchema, {
      name: operation.name,
      done,
      metadata: {
        typeUrl: `type.googleapis.com/${OperationMetadataSchema.typeName}`,
        value: toBinary(OperationMetadataSchema, metadata),
      },
    });
    if (done) shown.result = this.result(operation);
    return shown;
  }

  private result(operation: SimulatedOperation): Operation["result"] {
    if (this.wasCancelled(operation)) return { case: "error", value: status(1, "cancelled") };
    if (operation.ending === "error") return { case: "error", value: status(13, "it broke") };
    if (operation.ending === "nothing") return { case: undefined };
    const response = create(RollbackFhirResourcesResponseSchema, { fhirStore: "store" });
    return { case: "response", value: anyPack(RollbackFhirResourcesResponseSchema, response) };
  }

  private shownMoment(kind: Kind, name: string): number {
    return this.clock.monotonic() - (this.behaviour.lag?.(kind, name) ?? 0);
  }

  private page(request: ListOperationsRequest, call: UpstreamCall): ListOperationsResponse {
    const prefix = `${request.name}/operations/`;
    const all = [...this.operations.values()].filter(
      ({ name, created, deletedAt }) =>
        name.startsWith(prefix) &&
        created <= this.clock.monotonic() &&
        !(deletedAt !== undefined && deletedAt <= this.clock.monotonic()) &&
        (this.behaviour.allows?.(call.authorization, name) ?? true) &&
        !this.behaviour.omits?.(name),
    );
    const listed = all
      .map((operation) => ({ operation, at: this.shownMoment("list", operation.name) }))
      .filter(({ operation, at }) => request.filter !== "done:false" || at < this.endOf(operation));
    const from = Number(request.pageToken || "0");
    const size = Math.min(this.behaviour.pageSize ?? 100, request.pageSize || 100);
    const more = from + size < listed.length;
    return create(ListOperationsResponseSchema, {
      operations: listed.slice(from, from + size).map(({ operation, at }) => this.show(operation, at)),
      nextPageToken: more ? String(from + size) : "",
    });
  }

  private visible(name: string, call: UpstreamCall): SimulatedOperation {
    if (this.behaviour.allows && !this.behaviour.allows(call.authorization, name))
      throw failure({ status: 403, body: denied(name) });
    const operation = this.operations.get(name);
    const deleted = operation?.deletedAt !== undefined && operation.deletedAt <= this.clock.monotonic();
    if (!operation || deleted) throw failure({ status: 404, body: JSON_404 });
    return operation;
  }

  private applyCancel(name: string, call: UpstreamCall): void {
    const operation = this.visible(name, call);
    const now = this.clock.monotonic();
    if (this.isDone(operation)) throw failure({ status: 400, body: ALREADY_COMPLETED });
    if (operation.cancelledAt !== undefined) return;
    operation.cancelledAt = now;
    operation.cancelEndsAt = now + Math.round(this.behaviour.cancelDelay?.(name) ?? 1_500);
  }

  /** A request on its way: it arrives after half the time, and is answered after all of it, unless it is given up. */
  private exchange<T>(kind: Kind, name: string, call: UpstreamCall, act: () => T): Promise<T> {
    const { clock } = this;
    const seen: SeenRequest = {
      at: clock.monotonic(),
      kind,
      name,
      authorization: call.authorization,
      arrived: Number.POSITIVE_INFINITY,
      status: 200,
    };
    const key = `${kind} ${name}`;
    const nth = (this.counts.get(key) ?? 0) + 1;
    this.counts.set(key, nth);
    this.log.push(seen);
    const latency = this.behaviour.latency?.(kind, name) ?? 20;
    return new Promise((resolve, reject) => {
      if (call.ended) {
        reject(call.ended);
        return;
      }
      const end: EndListener = { callEnded: reject };
      call.onEnd(end);
      clock.setTimer(latency / 2, () => {
        seen.arrived = clock.monotonic();
        const outcome = this.outcome(kind, name, nth, act);
        clock.setTimer(latency / 2, () => {
          call.offEnd(end);
          seen.status = "status" in outcome ? outcome.status : 200;
          if (seen.status > 0)
            call.onUpstreamAnswer?.({
              httpStatus: seen.status,
              requestId: undefined,
              attempts: 1,
              date:
                this.behaviour.clockAhead === undefined
                  ? undefined
                  : new Date(this.wall(seen.arrived)).toUTCString(),
            });
          if ("error" in outcome) reject(outcome.error);
          else resolve(outcome.value);
        });
      });
    });
  }

  private outcome<T>(
    kind: Kind,
    name: string,
    nth: number,
    act: () => T,
  ): { value: T } | { error: ConnectError; status: number } {
    const retryAfterMs = kind === "cancel" ? undefined : this.behaviour.refuses?.(this.clock.monotonic());
    if (retryAfterMs !== undefined) return faulty(tooMany(retryAfterMs));
    const planned = this.behaviour.fault?.(kind, name, nth);
    if (planned && !planned.applied) return faulty(planned.fault);
    try {
      const value = act();
      return planned ? faulty(planned.fault) : { value };
    } catch (error) {
      if (planned) return faulty(planned.fault);
      if (error instanceof Refused) return faulty(error.fault);
      throw error;
    }
  }

  private wall(moment: number): number {
    return this.wallStart + moment + (this.behaviour.clockAhead ?? 0);
  }
}

class Refused extends Error {
  readonly fault: Fault;
  constructor(fault: Fault) {
    super("refused");
    this.fault = fault;
  }
}

function failure(fault: Fault): Refused {
  return new Refused(fault);
}

function faulty(fault: Fault): { error: ConnectError; status: number } {
  if (fault === "reset")
    return { error: gatewayError("UPSTREAM_RESET", "connection reset", { layer: "upstream" }), status: 0 };
  const headers = fault.headers ?? {};
  const response = { status: fault.status, headers, body: Buffer.from(fault.body ?? "") };
  const error = errorFromResponse(response, { credentials: "caller", attempts: 1, now: Date.now() });
  return { error, status: fault.status };
}

function tooMany(retryAfterMs: number): Fault {
  const body = JSON.stringify({
    error: { code: 429, message: "Quota exceeded", status: "RESOURCE_EXHAUSTED" },
  });
  return {
    status: 429,
    body,
    headers: retryAfterMs > 0 ? { "retry-after": String(retryAfterMs / 1000) } : {},
  };
}

function denied(name: string): string {
  return JSON.stringify({
    error: { code: 403, message: `Permission denied on ${name}`, status: "PERMISSION_DENIED" },
  });
}

function status(code: number, message: string) {
  return { $typeName: "google.rpc.Status" as const, code, message, details: [] };
}
