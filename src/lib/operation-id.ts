import type { Operation } from "../../gen/google/longrunning/operations_pb.ts";
import type { Encoded } from "./encoded.ts";
import { lastField, varintAt, varintLength } from "./last-field.ts";

/** Tag of `google.longrunning.Operation.name`: field 1, a string. */
const NAME = 0x0a;

const SLASH = 0x2f;

/**
 * Whether an operation may be the one that was asked for: its id, the last segment of its name, is that of `asked`. An
 * operation without a name may be any.
 *
 * The rest of a name proves nothing: an API may answer with the project's number where its id was asked for, or with
 * another beginning than the caller's. Read from the protobuf bytes for the reason that `isDone` gives.
 */
export function hasIdOf(operation: Encoded<Operation>, asked: string): boolean {
  const bytes = operation.toBinary();
  const field = lastField(bytes, NAME);
  if (field < 0) return true;
  const begin = field + varintLength(bytes, field);
  const end = begin + varintAt(bytes, field);
  if (begin === end) return true;
  // From behind, up to a slash or the beginning of either.
  for (let at = end - 1, i = asked.length - 1; ; at--, i--) {
    const byte = at < begin ? SLASH : bytes[at];
    const unit = i < 0 ? SLASH : asked.charCodeAt(i);
    if (unit > 0x7f) return idOf(Buffer.from(bytes.subarray(begin, end)).toString()) === idOf(asked);
    if (byte !== unit) return false;
    if (unit === SLASH) return true;
  }
}

/** The last segment of an operation's name. */
export function idOf(name: string): string {
  return name.slice(name.lastIndexOf("/") + 1);
}
