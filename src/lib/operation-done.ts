import type { Operation } from "../../gen/google/longrunning/operations_pb.ts";
import type { Encoded } from "./encoded.ts";
import { lastField, varintAt } from "./last-field.ts";

/** Tag of `google.longrunning.Operation.done`: field 3, a varint. */
const DONE = 0x18;

/**
 * Whether an operation is done, read from its protobuf bytes: each answer to a GetOperation is asked, and making a
 * message for one bit would cost more than all the rest that is done with it.
 */
export function isDone(operation: Encoded<Operation>): boolean {
  const bytes = operation.toBinary();
  const at = lastField(bytes, DONE);
  return at >= 0 && varintAt(bytes, at) !== 0;
}
