import type { DescMessage, Message } from "@bufbuild/protobuf";

/**
 * A response message that already has its bytes, or can make them once for many callers.
 *
 * A handler may return one in place of a message: the RPC path then writes the bytes of the caller's codec as they
 * are. `toMessage` serves paths that want an object (connect-es' handlers, tests).
 */
export interface Encoded<T extends Message = Message> {
  readonly encoded: true;
  readonly schema: DescMessage;
  /** Protobuf bytes. The same array on each call; nobody may write to it. */
  toBinary(): Uint8Array;
  /** ProtoJSON, UTF-8. The same array on each call; nobody may write to it. */
  toJson(): Uint8Array;
  toMessage(): T;
}

/** Tells an {@link Encoded} from a plain message. */
export function isEncoded(value: Message | Encoded): value is Encoded {
  return "encoded" in value && value.encoded === true;
}
