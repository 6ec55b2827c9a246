import type {
  ListOperationsRequest,
  ListOperationsResponse,
  Operation,
} from "../../gen/google/longrunning/operations_pb.ts";
import type { CallContext } from "../lib/call-context.ts";
import type { Encoded } from "../lib/encoded.ts";
import type { Resolvers } from "../lib/resolvers.ts";
import type { TraceContext } from "../lib/trace-context.ts";
import type { BackgroundRequest } from "./background.ts";

/**
 * The upstream's operations API as typed calls: transcode, authenticate, send, retry, decode. Every failure is thrown
 * as a ConnectError with the exact google.rpc code and details.
 */
export interface OperationsApi {
  /**
   * Refuses what the method itself would refuse before it sends anything; sends nothing. For calls that send later.
   *
   * @throws ConnectError INVALID_ARGUMENT for a malformed name or filter, UNIMPLEMENTED where no rule is for the method.
   */
  check(request: CheckedRequest): void;
  get(name: string, call: UpstreamCall): Promise<Encoded<Operation>>;
  list(request: ListOperationsRequest, call: UpstreamCall): Promise<Encoded<ListOperationsResponse>>;
  /**
   * Tells `told` what the cancel came to, maybe before this returns. No promise: it is what a gateway is asked most, and
   * who asks has an object to be told.
   */
  cancel(name: string, call: UpstreamCall, told: Resolvers<void>): void;
  delete(name: string, call: UpstreamCall): Promise<void>;
}

/** What {@link OperationsApi.check} looks at; `name` is the parent in a list. */
export type CheckedRequest =
  | { readonly method: "get" | "cancel"; readonly name: string }
  | { readonly method: "list"; readonly name: string; readonly filter: string };

/** What an upstream call needs to know of the RPC (or the poll) that it serves. */
export interface UpstreamCall extends CallContext {
  /** The caller's own `authorization` header; used in credentials mode `caller` only. */
  readonly authorization: string | undefined;
  readonly requestId: string;
  /** Goes upstream with the request, where it is made for one caller alone. */
  readonly trace?: TraceContext | undefined;
  /**
   * `false`: one attempt and no more, for callers that have a schedule of their own (polls) or must not send twice (a
   * cancel that is resolved by a read). Absent: the upstream stage retries as it does by default.
   */
  readonly retry?: boolean;
  /** Set in polls: calls get connections before them, but for the share that is theirs. */
  readonly background?: BackgroundRequest | undefined;
  /** Told what the upstream said besides its message, for response metadata and logs. */
  onUpstreamAnswer?(info: UpstreamAnswerInfo): void;
}

/** Facts of the last HTTP answer to a call. */
export interface UpstreamAnswerInfo {
  readonly httpStatus: number;
  /** The upstream's request id (`x-goog-request-id` or what the API sends), if any. */
  readonly requestId: string | undefined;
  readonly attempts: number;
  /** Its `date` header: what the upstream's clock showed, to be compared with moments that the upstream tells. */
  readonly date?: string | undefined;
}
