import { create } from "@bufbuild/protobuf";
import { type Empty, EmptySchema } from "@bufbuild/protobuf/wkt";
import type { Operations } from "../../gen/google/longrunning/operations_pb.ts";
import type { Encoded } from "../lib/encoded.ts";
import type { ServiceHandlers } from "../rpc/handler.ts";
import type { OperationsApi } from "../upstream/operations-api.ts";
import type { PlainAnswer } from "../waiting/cancel/plain-cancel.ts";
import { waitForOperation } from "../waiting/deliver/wait-for-operation.ts";
import type { WaitingEngine } from "../waiting/engine.ts";
import { MAX_STALENESS_HEADER, maxStalenessMs } from "./max-staleness.ts";
import { RpcUpstreamCall } from "./rpc-upstream-call.ts";
import { timeoutMs } from "./wait-timeout.ts";

/**
 * Response metadata of CancelOperation: `REQUESTED` when the upstream has taken the cancel, or what is known beyond
 * that: `CANCELLED`, `COMPLETED`, `FAILED`, `ALREADY_DONE`, `NOT_FOUND`.
 */
export const CANCEL_OUTCOME_HEADER = "lro-cancel-outcome";

/**
 * The handlers of google.longrunning.Operations: the engine shares and paces reads and cancels, and waits. A method that
 * the upstream has no rule for answers UNIMPLEMENTED, which its {@link OperationsApi} says itself.
 */
export function createOperationsHandlers(engine: WaitingEngine): ServiceHandlers<typeof Operations> {
  return {
    getOperation: (request, call) =>
      engine.get(request.name, new RpcUpstreamCall(call), maxStalenessMs(call.header(MAX_STALENESS_HEADER))),
    listOperations: (request, call) => engine.list(request, new RpcUpstreamCall(call)),
    cancelOperation: ({ name }, call) => engine.cancel(name, new RpcUpstreamCall(call), cancelAnswer),
    deleteOperation: (request, call) => engine.delete(request.name, new RpcUpstreamCall(call)).then(empty),
    waitOperation: (request, call) =>
      waitForOperation(engine, request.name, timeoutMs(request.timeout), call),
  };
}

function cancelAnswer({ error, outcome }: PlainAnswer, call: RpcUpstreamCall): Encoded<Empty> {
  // Leading metadata, even none of it, would keep gRPC from sending an error as Trailers-Only.
  if (outcome) (error?.metadata ?? call.responseHeader).set(CANCEL_OUTCOME_HEADER, outcome);
  if (error) throw error;
  return EMPTY;
}

const NO_BYTES = new Uint8Array(0);
const NO_MEMBERS = new TextEncoder().encode("{}");

/** What Cancel and Delete are answered with: always the same, so its bytes are made once. */
const EMPTY: Encoded<Empty> = {
  encoded: true,
  schema: EmptySchema,
  toBinary: () => NO_BYTES,
  toJson: () => NO_MEMBERS,
  toMessage: () => create(EmptySchema),
};

function empty(): Encoded<Empty> {
  return EMPTY;
}
