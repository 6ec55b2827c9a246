import { isUtf8 } from "node:buffer";
import {
  type DescMessage,
  fromBinary,
  fromJsonString,
  type JsonReadOptions,
  type JsonWriteOptions,
  type Message,
  type Registry,
  toBinary,
  toJson,
} from "@bufbuild/protobuf";
import { isFieldError } from "@bufbuild/protobuf/reflect";
import { gatewayError } from "../errors/reasons.ts";
import { type Encoded, isEncoded } from "../lib/encoded.ts";

/** How messages become bytes: binary protobuf or ProtoJSON. */
export interface Codec {
  readonly name: "proto" | "json";
  /** Throws INVALID_ARGUMENT when the bytes are no message of the type. */
  decode(type: DescMessage, bytes: Uint8Array): Message;
  /** The bytes of a message; an answer that has its bytes already gives them as they are. */
  encode(type: DescMessage, message: Message | Encoded): Uint8Array;
}

/** The binary format, https://protobuf.dev/programming-guides/encoding/. */
export const protoCodec: Codec = {
  name: "proto",
  decode(type, bytes) {
    try {
      return fromBinary(type, bytes);
    } catch {
      throw gatewayError("REQUEST_MALFORMED", `the request is not a binary ${type.typeName}`);
    }
  },
  encode(type, message) {
    return isEncoded(message) ? message.toBinary() : toBinary(type, message);
  },
};

/**
 * ProtoJSON, https://protobuf.dev/programming-guides/json/. Fields that are not known are ignored, as they are in
 * the binary format. `registry` knows the types that may stand in an Any.
 */
export function createJsonCodec(registry: Registry): Codec {
  const options: Partial<JsonReadOptions & JsonWriteOptions> = { registry, ignoreUnknownFields: true };
  return {
    name: "json",
    decode(type, bytes) {
      // Anything else would quietly become U+FFFD, and a name with it would be another name.
      if (!isUtf8(bytes)) throw gatewayError("REQUEST_MALFORMED", "the request is not in UTF-8, as JSON is");
      try {
        const json = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString();
        return fromJsonString(type, json, options);
      } catch (error) {
        const why = error instanceof Error ? error.message : "";
        throw gatewayError("REQUEST_MALFORMED", `the request is not a ${type.typeName} in JSON: ${why}`, {
          fieldViolations: violations(type, error),
        });
      }
    },
    encode(type, message) {
      if (isEncoded(message)) return message.toJson();
      return Buffer.from(JSON.stringify(toJson(type, message, options)));
    },
  };
}

/** Which field of the request itself could not be read; what is wrong deeper inside is left to the message. */
function violations(type: DescMessage, error: unknown): { field: string; description: string }[] {
  const cause = error instanceof Error ? error.cause : undefined;
  if (!isFieldError(cause)) return [];
  const field = cause.field();
  if (field.kind !== "field" || field.parent !== type) return [];
  return [{ field: field.name, description: cause.message }];
}
