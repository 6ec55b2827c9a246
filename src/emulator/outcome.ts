import type { JsonObject } from "./json.ts";

/** How an operation ends when nobody cancels it. */
export type Outcome =
  /** `response` of the kind's own type, or of the given one (any `@type`, known or not). */
  | { readonly type: "success"; readonly response?: JsonObject | undefined }
  /** `response` although a part of the work failed: `counter.failure` is not zero. */
  | { readonly type: "partial" }
  /** `response` of type google.protobuf.Empty. */
  | { readonly type: "empty" }
  /** `error`, a google.rpc.Status: `code` is a google.rpc number, not an HTTP one. */
  | {
      readonly type: "error";
      readonly code: number;
      readonly message: string;
      readonly details?: readonly JsonObject[] | undefined;
    }
  /** `done` with neither `error` nor `response`, which the proto allows and the field has seen. */
  | { readonly type: "nothing" }
  /** `error` with code 1, as after a cancellation by somebody else. */
  | { readonly type: "cancelled" };
