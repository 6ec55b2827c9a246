import { type Message, type MessageShape, toBinary, toJsonString } from "@bufbuild/protobuf";
import type { GenMessage } from "@bufbuild/protobuf/codegenv2";
import type { Encoded } from "../../src/lib/encoded.ts";

/** A message as the upstream stage hands it out, made from an object. Any types in it need no JSON form here. */
export function encode<T extends Message>(
  schema: GenMessage<T>,
  message: MessageShape<GenMessage<T>>,
): Encoded<T> {
  let binary: Uint8Array | undefined;
  return {
    encoded: true,
    schema,
    toBinary: () => (binary ??= toBinary(schema, message)),
    toJson: () => new TextEncoder().encode(toJsonString(schema, message)),
    toMessage: () => message,
  };
}
