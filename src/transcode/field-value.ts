import {
  create,
  type DescField,
  type DescMessage,
  isFieldSet,
  type JsonValue,
  type Message,
  toJson,
} from "@bufbuild/protobuf";
import { reflect } from "@bufbuild/protobuf/reflect";
import { base64Encode } from "@bufbuild/protobuf/wire";

/** Reads a field's value from a message; `undefined` when it is not set (the default, without presence). */
export function fieldValue(message: Message, field: DescField): unknown {
  if (!isFieldSet(message, field)) return undefined;
  // A generated message has a property for each field, or for its oneof; TypeScript cannot know it from a descriptor.
  const properties = message as unknown as Record<string, unknown>;
  if (!field.oneof) return properties[field.localName];
  return (properties[field.oneof.localName] as { value?: unknown }).value;
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

/** The zero value of a scalar or enum field as text: what an unset path variable stands for. */
export function zeroText(field: DescField): string {
  return scalarText(field, reflect(field.parent).get(field));
}
