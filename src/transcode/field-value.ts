import {
  create,
  type DescField,
  type DescMessage,
  isFieldSet,
  type JsonValue,
  type Message,
  ScalarType,
  toJson,
} from "@bufbuild/protobuf";
import { reflect } from "@bufbuild/protobuf/reflect";
import { base64Encode } from "@bufbuild/protobuf/wire";
import { FeatureSet_FieldPresence } from "@bufbuild/protobuf/wkt";

/** Reads a field's value from a message; `undefined` when it is not set (the default, without presence). */
export function fieldValue(message: Message, field: DescField): unknown {
  if (!isFieldSet(message, field)) return undefined;
  return field.oneof
    ? properties(properties(message)[field.oneof.localName])["value"]
    : properties(message)[field.localName];
}

/** As {@link fieldValue}, compiled: text, bool and int32 without presence, nearly all there is, skip the reflection. */
export function compileFieldValue(field: DescField): (message: Message) => unknown {
  const { localName } = field;
  const zero = field.presence === IMPLICIT ? ZEROS.get(field.scalar) : undefined;
  if (zero === undefined || field.fieldKind !== "scalar") return (message) => fieldValue(message, field);
  return (message) => {
    const value = properties(message)[localName];
    return value === zero ? undefined : value;
  };
}

const IMPLICIT = FeatureSet_FieldPresence.IMPLICIT;

const ZEROS = new Map<ScalarType | undefined, unknown>([
  [ScalarType.STRING, ""],
  [ScalarType.BOOL, false],
  [ScalarType.INT32, 0],
]);

/** A generated message has a property for each field or oneof; TypeScript cannot know it from a descriptor. */
function properties(message: unknown): Record<string, unknown> {
  return message as Record<string, unknown>;
}

/**
 * A scalar or enum value as its ProtoJSON text without quotes, which is what paths and queries carry: `true`, `-1`,
 * `NaN`, base64, the name of an enum value (its number if it has none).
 *
 * @see https://protobuf.dev/programming-guides/json/
 */
export function scalarText(field: DescField, value: unknown): string {
  if (value instanceof Uint8Array) return base64Encode(value);
  if (field.enum && typeof value === "number") return field.enum.value[value]?.name ?? String(value);
  return String(value);
}

/**
 * One field of a message as ProtoJSON; `undefined` when it is not set.
 *
 * @throws Error for a value that has no ProtoJSON form, e.g. a Duration out of range.
 */
export function fieldJson(schema: DescMessage, field: DescField, message: Message): JsonValue | undefined {
  if (!isFieldSet(message, field)) return undefined;
  const only = create(schema);
  reflect(schema, only).set(field, reflect(schema, message).get(field));
  const json = toJson(schema, only);
  return typeof json === "object" && json !== null && !Array.isArray(json) ? json[field.jsonName] : json;
}
