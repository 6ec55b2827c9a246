import type { DescField, DescMessage, JsonValue, Message, MessageShape } from "@bufbuild/protobuf";
import { create, fromJson, ScalarType, toBinary, toJson } from "@bufbuild/protobuf";
import { reflect } from "@bufbuild/protobuf/reflect";
import type { Any, Struct } from "@bufbuild/protobuf/wkt";
import { AnySchema, hasCustomJsonRepresentation, StructSchema, ValueSchema } from "@bufbuild/protobuf/wkt";
import { registry } from "./any-registry.ts";
import type { JsonDocument, JsonObject } from "./json-document.ts";
import { setOwn } from "./json-document.ts";
import { setUnknownFields } from "./unknown-fields.ts";

/**
 * JSON nested deeper than this inside an Any stands as a string that holds the JSON text. Each level of a Struct is
 * three nested messages, and stock protobuf parsers give up at a hundred.
 */
export const ANY_MAX_DEPTH = 25;

/** A message with its type, as both Any and error details need it. */
export interface TypedMessage {
  readonly typeUrl: string;
  readonly desc: DescMessage;
  readonly message: Message;
}

const TYPE_URL_PREFIX = "type.googleapis.com/";

/**
 * Turns the JSON that stands where an Any is expected into a message, whatever it is; it never throws.
 *
 * - An object with a registered `@type` becomes that type. What the type cannot hold (a field that is newer than this
 *   gateway, a value of another type) is kept beside it, see {@link setUnknownFields}.
 * - Any other object becomes a google.protobuf.Struct of all its keys, `@type` included.
 * - A scalar or an array becomes a google.protobuf.Value.
 * - An empty object is the empty Any, as ProtoJSON has it: `undefined`.
 */
export function typedFromJson(json: JsonValue, document: JsonDocument, depth = 1): TypedMessage | undefined {
  if (!isObject(json) || depth > ANY_MAX_DEPTH) return wrapped(ValueSchema, json, document, depth);
  if (Object.keys(json).length === 0) return undefined;
  const typeUrl = json["@type"];
  const slash = typeof typeUrl === "string" ? typeUrl.lastIndexOf("/") : -1;
  const desc =
    typeof typeUrl === "string" && slash >= 0 ? registry.getMessage(typeUrl.slice(slash + 1)) : undefined;
  if (typeof typeUrl !== "string" || desc === undefined) return wrapped(StructSchema, json, document, depth);
  const message = knownFromJson(desc, json, document, depth);
  return message ? { typeUrl, desc, message } : wrapped(StructSchema, json, document, depth);
}

/** As {@link typedFromJson}, packed. */
export function anyFromJson(json: JsonValue, document: JsonDocument, depth = 1): Any {
  const typed = typedFromJson(json, document, depth);
  return typed
    ? create(AnySchema, { typeUrl: typed.typeUrl, value: toBinary(typed.desc, typed.message) })
    : create(AnySchema);
}

/** The message as the Struct that stands for it where its own type cannot: all its fields, and its `@type`. */
export function structFromTyped<Desc extends DescMessage>(desc: Desc, message: MessageShape<Desc>): Struct {
  const json = toJson(desc, message, { registry });
  const fields = isObject(json) ? json : { value: json };
  return fromJson(StructSchema, { "@type": TYPE_URL_PREFIX + desc.typeName, ...fields });
}

/**
 * Reads a message and keeps what its descriptor cannot hold (see {@link setUnknownFields}); unlike `fromJson` it
 * never throws, and no field is lost because of another one.
 */
export function messageFromJson<Desc extends DescMessage>(
  desc: Desc,
  json: JsonObject,
  document: JsonDocument,
  depth: number,
): MessageShape<Desc> {
  const message = create(desc);
  const rest: JsonObject = {};
  const taken = new Set<unknown>();
  for (const [key, value] of Object.entries(json)) {
    const field = desc.fields.find((known) => known.jsonName === key || known.name === key);
    if (value === null && field?.message?.typeName !== ValueSchema.typeName && field !== undefined) continue;
    // A second name of the same field, or a second member of a oneof.
    const slot = field?.oneof ?? field;
    if (field === undefined || taken.has(slot) || !setField(message, desc, field, value, document, depth))
      setOwn(rest, key, limitDepth(value, document, depth + 1));
    else taken.add(slot);
  }
  if (Object.keys(rest).length > 0) setUnknownFields(desc, message, fromJson(StructSchema, rest));
  return message;
}

/** The registered type, or `undefined` where its JSON form has no place for what was sent. */
function knownFromJson(
  desc: DescMessage,
  json: JsonObject,
  document: JsonDocument,
  depth: number,
): Message | undefined {
  const { "@type": _, ...fields } = json;
  if (!hasCustomJsonRepresentation(desc)) return messageFromJson(desc, fields, document, depth);
  const value = fields["value"];
  if (value === undefined || Object.keys(fields).length !== 1) return undefined;
  if (desc.typeName === AnySchema.typeName) return anyFromJson(value, document, depth + 1);
  return customFromJson(desc, limitDepth(value, document, depth + 1));
}

function setField(
  message: Message,
  desc: DescMessage,
  field: DescField,
  value: JsonValue,
  document: JsonDocument,
  depth: number,
): boolean {
  const inner = field.fieldKind === "message" || field.fieldKind === "list" ? field.message : undefined;
  const read = inner && messageReader(inner, document, depth);
  if (!read) {
    if (!accepts(field, value)) return false;
    const part = tryFromJson(desc, { [field.jsonName]: limitDepth(value, document, depth + 1) });
    if (!part) return false;
    reflect(desc, message).set(field, reflect(desc, part).get(field));
    return true;
  }
  if (field.fieldKind !== "list") {
    const child = read(value, depth + 1);
    if (child) reflect(desc, message).set(field, reflect(inner, child));
    return child !== undefined;
  }
  if (!Array.isArray(value)) return false;
  const items = value.map((item) => read(item, depth + 2));
  if (!items.every((item) => item !== undefined)) return false;
  const list = reflect(desc, message).get(field);
  for (const item of items) list.add(reflect(inner, item));
  return true;
}

/** How to read a message in a field; `undefined` for those whose JSON form is their own (Timestamp, Struct …). */
function messageReader(
  desc: DescMessage,
  document: JsonDocument,
  depth: number,
): ((json: JsonValue, depth: number) => Message | undefined) | undefined {
  if (desc.typeName === AnySchema.typeName) return (json, at) => anyFromJson(json, document, at);
  if (hasCustomJsonRepresentation(desc) || depth > ANY_MAX_DEPTH) return undefined;
  return (json, at) => (isObject(json) ? messageFromJson(desc, json, document, at) : undefined);
}

/** Closes the gaps where `fromJson` takes more than the ProtoJSON specification allows, and would change the value. */
function accepts(field: DescField, value: JsonValue): boolean {
  const desc = field.message;
  if (desc) return !hasCustomJsonRepresentation(desc) || customFits(desc, value);
  const is64 =
    field.scalar === ScalarType.INT64 ||
    field.scalar === ScalarType.UINT64 ||
    field.scalar === ScalarType.SINT64 ||
    field.scalar === ScalarType.FIXED64 ||
    field.scalar === ScalarType.SFIXED64;
  return !is64 || typeof value !== "string" || /^-?[0-9]+$/.test(value);
}

function customFits(desc: DescMessage, value: JsonValue): boolean {
  if (desc.typeName === "google.protobuf.Duration")
    return typeof value === "string" && /^-?[0-9]{1,12}(?:\.[0-9]{1,9})?s$/.test(value);
  return desc.typeName !== "google.protobuf.Timestamp" || (typeof value === "string" && isCalendarDay(value));
}

/** `fromJson` takes 30 February for 1 March. */
function isCalendarDay(timestamp: string): boolean {
  const [year, month, day] = timestamp.slice(0, 10).split("-").map(Number);
  return new Date(Date.UTC(year ?? 0, (month ?? 0) - 1, day)).getUTCDate() === day;
}

function customFromJson(desc: DescMessage, value: JsonValue): Message | undefined {
  return customFits(desc, value) ? tryFromJson(desc, value) : undefined;
}

function tryFromJson(desc: DescMessage, json: JsonValue): Message | undefined {
  try {
    return fromJson(desc, json, { registry });
  } catch {
    return undefined;
  }
}

function wrapped(
  desc: typeof StructSchema | typeof ValueSchema,
  json: JsonValue,
  document: JsonDocument,
  depth: number,
): TypedMessage {
  const message = fromJson(desc, limitDepth(json, document, depth));
  return { typeUrl: TYPE_URL_PREFIX + desc.typeName, desc, message };
}

/** The same JSON with what lies too deep as text. */
function limitDepth(json: JsonValue, document: JsonDocument, depth: number): JsonValue {
  if (typeof json !== "object" || json === null) return json;
  if (depth > ANY_MAX_DEPTH) return document.source(json);
  if (Array.isArray(json)) return json.map((item) => limitDepth(item, document, depth + 1));
  const copy: JsonObject = {};
  for (const [key, value] of Object.entries(json)) setOwn(copy, key, limitDepth(value, document, depth + 1));
  return copy;
}

function isObject(json: JsonValue | undefined): json is JsonObject {
  return typeof json === "object" && json !== null && !Array.isArray(json);
}
