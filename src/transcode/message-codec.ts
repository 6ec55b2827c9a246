import { isUtf8 } from "node:buffer";
import {
  create,
  type DescField,
  type DescMessage,
  fromBinary,
  fromJsonString,
  type JsonReadOptions,
  type JsonWriteOptions,
  type Message,
  type Registry,
  ScalarType,
  toBinary,
  toJson,
} from "@bufbuild/protobuf";
import { isFieldError } from "@bufbuild/protobuf/reflect";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { FeatureSet_FieldPresence, hasCustomJsonRepresentation } from "@bufbuild/protobuf/wkt";
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
      return decodeName(type, bytes) ?? fromBinary(type, bytes);
    } catch {
      throw gatewayError("REQUEST_MALFORMED", `the request is not a binary ${type.typeName}`, {
        fieldViolations: brokenTexts(type, bytes),
      });
    }
  },
  encode(type, message) {
    return isEncoded(message) ? message.toBinary() : toBinary(type, message);
  },
};

/** The first string of the request itself that is not UTF-8 (half a surrogate pair is not); none where bytes end early. */
function brokenTexts(type: DescMessage, bytes: Uint8Array): { field: string; description: string }[] {
  const reader = new BinaryReader(bytes);
  try {
    while (reader.pos < reader.len) {
      const [number, wireType] = reader.tag();
      const field = type.fields.find((one) => one.number === number);
      if (wireType !== WireType.LengthDelimited) reader.skip(wireType, number);
      else if (!isUtf8(reader.bytes()) && field?.fieldKind === "scalar" && field.scalar === ScalarType.STRING)
        return [{ field: field.name, description: "is not UTF-8" }];
    }
  } catch {
    // Broken in another way, which no field can be named for.
  }
  return [];
}

/** Field 1 of the types where it is a plain string. */
const firstStrings = new Map<DescMessage, DescField | undefined>();

/** Tag of field 1 as a string. */
const FIRST_STRING_TAG = 0x0a;

/**
 * Decodes the usual request, a name and nothing else, four times as fast as the general way: the one string of less
 * than 128 bytes in field 1. `undefined` for anything else, text that is no UTF-8 included.
 */
function decodeName(type: DescMessage, bytes: Uint8Array): Message | undefined {
  if (bytes[0] !== FIRST_STRING_TAG || bytes[1] !== bytes.length - 2 || bytes.length > 129) return undefined;
  const field = firstStringOf(type);
  if (field === undefined) return undefined;
  const text = Buffer.from(bytes.buffer, bytes.byteOffset + 2, bytes.length - 2).toString();
  if (text.includes(REPLACEMENT)) return undefined;
  const message: Message & Record<string, unknown> = create(type);
  message[field.localName] = text;
  return message;
}

/** For types whose field 1 is a plain string, an object with that member alone; see {@link decodeJsonName}. */
const onlyNames = new Map<DescMessage, RegExp | undefined>();

/**
 * The same for JSON, where the general way costs more than all the rest of the path: an object whose only member is the
 * field by its usual name, with a string without escapes. `undefined` for anything else.
 */
function decodeJsonName(type: DescMessage, text: string): Message | undefined {
  const field = firstStringOf(type);
  if (field === undefined) return undefined;
  let only = onlyNames.get(type);
  if (only === undefined && !onlyNames.has(type)) {
    only = compileOnlyName(type, field);
    onlyNames.set(type, only);
  }
  const value = only?.exec(text)?.[1];
  if (value === undefined) return undefined;
  const message: Message & Record<string, unknown> = create(type);
  message[field.localName] = value;
  return message;
}

/** https://www.rfc-editor.org/rfc/rfc8259#section-2 and §7: whitespace, and what needs no escape in a string. */
function compileOnlyName(type: DescMessage, { jsonName }: DescField): RegExp | undefined {
  if (hasCustomJsonRepresentation(type) || !/^\w+$/.test(jsonName)) return undefined;
  const text = '"([^"\\\\\\x00-\\x1f]*)"';
  const tokens = ["^", "\\{", `"${jsonName}"`, ":", text, "\\}", "$"];
  return new RegExp(tokens.join("[ \\t\\n\\r]*"));
}

function firstStringOf(type: DescMessage): DescField | undefined {
  let field = firstStrings.get(type);
  if (field === undefined && !firstStrings.has(type)) {
    field = findFirstString(type);
    firstStrings.set(type, field);
  }
  return field;
}

/** What Node puts where bytes are no UTF-8. */
const REPLACEMENT = "\ufffd";

function findFirstString(type: DescMessage): DescField | undefined {
  const field = type.fields.find(({ number }) => number === 1);
  const plain =
    field?.fieldKind === "scalar" &&
    field.scalar === ScalarType.STRING &&
    field.oneof === undefined &&
    field.presence === FeatureSet_FieldPresence.IMPLICIT;
  return plain ? field : undefined;
}

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
        return decodeJsonName(type, json) ?? fromJsonString(type, json, options);
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
