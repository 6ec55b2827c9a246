import type { DescField, DescMessage, JsonValue, Message, MessageShape } from "@bufbuild/protobuf";
import { create, fromJson, toBinary, toJson } from "@bufbuild/protobuf";
import { reflect } from "@bufbuild/protobuf/reflect";
import {
  type Any,
  AnySchema,
  hasCustomJsonRepresentation,
  type Struct,
  StructSchema,
  ValueSchema,
} from "@bufbuild/protobuf/wkt";
import { registry } from "./any-registry.ts";
import { isObject, type JsonDocument, type JsonObject, setOwn } from "./json-document.ts";
import { isExact } from "./proto-json.ts";
import { setUnknownFields, UNKNOWN_FIELDS_NAME, UNKNOWN_FIELDS_NUMBER } from "./unknown-fields.ts";

/**
 * JSON nested deeper than this inside an Any stands as a string that holds the JSON text. Each level of a Struct is
 * three nested messages, and stock protobuf parsers give up at a hundred.
 */
export const ANY_MAX_DEPTH = 25;

/** A message, and the JSON in which callers see it. */
export interface Reading<T extends Message = Message, J extends JsonValue = JsonValue> {
  readonly message: T;
  /** ProtoJSON, with the members that the type has no field for in their old place. */
  readonly json: J;
}

/** A {@link Reading} with its type, as both Any and error details need it. */
export interface TypedReading extends Reading {
  readonly typeUrl: string;
  readonly desc: DescMessage;
}

const TYPE_URL_PREFIX = "type.googleapis.com/";

/**
 * Reads the JSON that stands where an Any is expected, whatever it is; never throws.
 *
 * - An object with a registered `@type` becomes that type. What the type cannot hold (a field that is newer than this
 *   gateway, a value of another type) is kept beside it, see {@link setUnknownFields}.
 * - Any other object becomes a google.protobuf.Struct of all its members, `@type` included.
 * - A scalar or an array becomes a google.protobuf.Value.
 * - `{}` is the empty Any, as ProtoJSON has it: `undefined`.
 *
 * `depth` is how deep `json` lies inside the outermost Any, which is 1.
 */
export function readTyped(json: JsonValue, document: JsonDocument, depth = 1): TypedReading | undefined {
  if (!isObject(json) || depth > ANY_MAX_DEPTH) return wrapped(ValueSchema, json, document, depth);
  if (Object.keys(json).length === 0) return undefined;
  const typeUrl = json["@type"];
  const slash = typeof typeUrl === "string" ? typeUrl.lastIndexOf("/") : -1;
  if (typeof typeUrl !== "string" || slash < 0) return wrapped(StructSchema, json, document, depth);
  const desc = registry.getMessage(typeUrl.slice(slash + 1));
  const known = desc && readKnown(desc, json, document, depth);
  return desc && known ? { typeUrl, desc, ...known } : wrapped(StructSchema, json, document, depth);
}

/** As {@link readTyped}, packed. */
export function readAny(json: JsonValue, document: JsonDocument, depth = 1): Reading<Any> {
  const typed = readTyped(json, document, depth);
  if (!typed) return { message: create(AnySchema), json: {} };
  const { typeUrl, desc, message } = typed;
  const inner =
    isObject(typed.json) && !hasCustomJsonRepresentation(desc) ? typed.json : { value: typed.json };
  return {
    message: create(AnySchema, { typeUrl, value: toBinary(desc, message) }),
    json: { "@type": typeUrl, ...inner },
  };
}

/**
 * Reads a message and keeps what its descriptor cannot hold (see {@link setUnknownFields}). Unlike `fromJson` it never
 * throws, and no field is lost because of another one. `depth` is 0 outside of an Any.
 */
export function readMessage<Desc extends DescMessage>(
  desc: Desc,
  json: JsonObject,
  document: JsonDocument,
  depth: number,
): Reading<MessageShape<Desc>, JsonObject> {
  const message = create(desc);
  const view: JsonObject = {};
  const newer: JsonObject = {};
  const unfit: JsonObject = {};
  const taken = new Set<unknown>();
  for (const [key, value] of Object.entries(json)) {
    const field = desc.fields.find((known) => known.jsonName === key || known.name === key);
    const slot = field?.oneof ?? field;
    if (field === undefined) setOwn(newer, key, limitDepth(value, document, depth + 1));
    else if (value === null && field.message?.typeName !== ValueSchema.typeName) continue;
    // A second name of the same field, a second member of a oneof, a value of another type.
    else if (taken.has(slot) || !readField(desc, message, view, field, value, document, depth))
      setOwn(unfit, key, limitDepth(value, document, depth + 1));
    else taken.add(slot);
  }
  const unknown = { ...newer, ...unfit };
  if (Object.keys(unknown).length > 0) setUnknownFields(desc, message, unknown);
  // What is newer keeps its place. What is unfit must leave it, or strict readers would refuse the whole answer.
  const moved = Object.keys(unfit).length > 0 ? { [UNKNOWN_FIELDS_NAME]: unfit } : {};
  return { message, json: { ...view, ...newer, ...moved } };
}

/** The message as the Struct that stands for it where its own type cannot: all its fields, and its `@type`. */
export function structOf<Desc extends DescMessage>(desc: Desc, message: MessageShape<Desc>): Struct {
  const json = toJson(desc, message, { registry });
  const fields = isObject(json) ? json : { value: json };
  return fromJson(StructSchema, { "@type": TYPE_URL_PREFIX + desc.typeName, ...fields });
}

/** A registered type; `undefined` where its JSON form is its own and has no place for what was sent. */
function readKnown(
  desc: DescMessage,
  json: JsonObject,
  document: JsonDocument,
  depth: number,
): Reading | undefined {
  const { "@type": _, ...members } = json;
  if (!hasCustomJsonRepresentation(desc)) return readMessage(desc, members, document, depth);
  const value = members["value"];
  if (value === undefined || Object.keys(members).length !== 1) return undefined;
  if (desc.typeName === AnySchema.typeName) return readAny(value, document, depth + 1);
  const limited = limitDepth(value, document, depth + 1);
  const message = isExact(desc, limited) ? tryFromJson(desc, limited) : undefined;
  return message && { message, json: toJson(desc, message, { registry }) };
}

/** Sets a field in `message` and `view`; `false`, with both unchanged, when its value is of another type. */
function readField(
  desc: DescMessage,
  message: Message,
  view: JsonObject,
  field: DescField,
  value: JsonValue,
  document: JsonDocument,
  depth: number,
): boolean {
  if (field.number === UNKNOWN_FIELDS_NUMBER) return false;
  const inner = field.fieldKind === "message" || field.fieldKind === "list" ? field.message : undefined;
  const read = inner && messageReader(inner, document, depth);
  if (!read) {
    const limited = limitDepth(value, document, depth + 1);
    const part = isExact(field, limited) ? tryFromJson(desc, { [field.jsonName]: limited }) : undefined;
    if (!part) return false;
    reflect(desc, message).set(field, reflect(desc, part).get(field));
    view[field.jsonName] = canonical(desc, part, field.jsonName);
    return true;
  }
  const values = field.fieldKind === "list" ? value : [value];
  if (!Array.isArray(values)) return false;
  const items = values.map((item) => read(item, deeper(depth, field.fieldKind === "list" ? 2 : 1)));
  if (!items.every((item) => item !== undefined)) return false;
  if (field.fieldKind === "list") {
    const list = reflect(desc, message).get(field);
    for (const item of items) list.add(reflect(inner, item.message));
    view[field.jsonName] = items.map((item) => item.json);
    return true;
  }
  for (const item of items) {
    reflect(desc, message).set(field, reflect(inner, item.message));
    view[field.jsonName] = item.json;
  }
  return true;
}

/** How to read a message in a field; `undefined` for those whose JSON form is their own (Timestamp, Struct …). */
function messageReader(
  desc: DescMessage,
  document: JsonDocument,
  depth: number,
): ((json: JsonValue, depth: number) => Reading | undefined) | undefined {
  if (desc.typeName === AnySchema.typeName) return (json, at) => readAny(json, document, Math.max(at, 1));
  if (hasCustomJsonRepresentation(desc) || depth > ANY_MAX_DEPTH) return undefined;
  return (json, at) => (isObject(json) ? readMessage(desc, json, document, at) : undefined);
}

/** Depth counts inside an Any only; outside it is 0. */
function deeper(depth: number, levels: number): number {
  return depth === 0 ? 0 : depth + levels;
}

function tryFromJson(desc: DescMessage, json: JsonValue): Message | undefined {
  try {
    return fromJson(desc, json, { registry });
  } catch {
    return undefined;
  }
}

/** The value of the one field that `part` has, in canonical JSON, also where it is the default. */
function canonical(desc: DescMessage, part: Message, name: string): JsonValue {
  const json = toJson(desc, part, { registry, alwaysEmitImplicit: true });
  return (isObject(json) ? json[name] : undefined) ?? null;
}

function wrapped(
  desc: typeof StructSchema | typeof ValueSchema,
  json: JsonValue,
  document: JsonDocument,
  depth: number,
): TypedReading {
  const limited = limitDepth(json, document, depth);
  return { typeUrl: TYPE_URL_PREFIX + desc.typeName, desc, message: fromJson(desc, limited), json: limited };
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
