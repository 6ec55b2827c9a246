import { create, type Message, toBinary } from "@bufbuild/protobuf";
import type { ConnectError } from "@connectrpc/connect";

/** A detail of an error: a message that is still an object, or one that came in bytes. */
export type Detail = ConnectError["details"][number];

/** Full name of the message type, `google.rpc.ErrorInfo` say. */
export function typeOf(detail: Detail): string {
  return "desc" in detail ? detail.desc.typeName : detail.type;
}

/** The message of a detail that is still an object. */
export function messageOf(detail: Extract<Detail, { desc: unknown }>): Message {
  return create(detail.desc, detail.value);
}

/** The message in bytes. */
export function bytesOf(detail: Detail): Uint8Array {
  return "desc" in detail ? toBinary(detail.desc, messageOf(detail)) : detail.value;
}
