import { create } from "@bufbuild/protobuf";
import { type Empty, EmptySchema } from "@bufbuild/protobuf/wkt";
import type { Operations } from "../../gen/google/longrunning/operations_pb.ts";
import type { ServiceHandlers } from "../rpc/handler.ts";
import type { OperationsApi } from "../upstream/operations-api.ts";
import { RpcUpstreamCall } from "./rpc-upstream-call.ts";

/**
 * The handlers of google.longrunning.Operations. A method that the upstream has no rule for answers UNIMPLEMENTED,
 * which the {@link OperationsApi} says itself.
 */
export function createOperationsHandlers(api: OperationsApi): ServiceHandlers<typeof Operations> {
  return {
    getOperation: (request, call) => api.get(request.name, new RpcUpstreamCall(call)),
    listOperations: (request, call) => api.list(request, new RpcUpstreamCall(call)),
    cancelOperation: (request, call) => api.cancel(request.name, new RpcUpstreamCall(call)).then(empty),
    deleteOperation: (request, call) => api.delete(request.name, new RpcUpstreamCall(call)).then(empty),
  };
}

function empty(): Empty {
  return create(EmptySchema);
}
