import { type Message, type MessageShape, toBinary, toJsonString } from "@bufbuild/protobuf";
import type { GenMessage } from "@bufbuild/protobuf/codegenv2";
import { registry } from "../../src/lib/any-registry.ts";
import type { Encoded } from "../../src/lib/encoded.ts";

/** A message as the upstream stage hands it out, made from an object.  */
export function encode<T extends Message>(
  schema: GenMessage<T>,
  message: MessageShape<GenMessage<T>>,
): Encoded<T> {
  let binary: Uint8Array | undefined;
  let json: Uint8Array | undefined;
  return {
    encoded: true,
    schema,
    toBinary: () => (binary ??= toBinary(schema, message)),
    toJson: () => (json ??= new TextEncoder().encode(toJsonString(schema, message, { registry }))),
    toMessage: () => message,
  };
}
