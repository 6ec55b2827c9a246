/**
 * The judge of the codec tests: what JSON an upstream may send where an Any stands, and whether what a caller sees
 * means the same. It shares no code with the codec, only the generated descriptors.
 */
import {
  type DescMessage,
  fromBinary,
  type JsonObject,
  type JsonValue,
  type Message,
  type Registry,
  toJson,
} from "@bufbuild/protobuf";
import { type ReflectMessage, reflect } from "@bufbuild/protobuf/reflect";
import { type Any, anyUnpack, hasCustomJsonRepresentation, StructSchema } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { expect } from "vitest";
import { anyJson as anyJsonOf } from "../support/any-json.ts";
import { anyText } from "../support/any-text.ts";

const PREFIX = "type.googleapis.com/";
const STRUCT = `${PREFIX}google.protobuf.Struct`;
const VALUE = `${PREFIX}google.protobuf.Value`;

/** A member name that no known type has, `__proto__` and empty ones included. */
const newName = fc.oneof(
  fc.constantFrom("newField", "new_field", "__proto__", "constructor", "", "@id", "unknownFieldz"),
  anyText({ maxLength: 5 }).map((tail) => `x${tail}`),
);

/** Arbitrary JSON, not too deep to be held as it is. */
export const anyJson = anyJsonOf({ maxDepth: 4 });

const members = fc
  .array(fc.tuple(newName, anyJson), { maxLength: 4 })
  .map((entries) => Object.fromEntries(entries) as JsonObject);

const timestamp = fc
  .tuple(
    fc.date({
      min: new Date("0001-01-01T00:00:00Z"),
      max: new Date("9999-12-31T00:00:00Z"),
      noInvalidDate: true,
    }),
    fc.constantFrom("", ".5", ".123", ".123456", ".123456789"),
    fc.constantFrom("Z", "+02:00", "-11:30", "+00:00"),
  )
  .map(([date, fraction, zone]) => `${date.toISOString().slice(0, 19)}${fraction}${zone}`);

const int64 = fc.oneof(
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String),
  fc.integer(),
  fc.constantFrom("0", 0),
);

const counter = fc.record(
  { pending: int64, success: int64, failure: int64, secondarySuccess: int64 },
  { requiredKeys: [] },
);

/** One of the values a field may have, and now and then one that it may not. */
const mostly = (good: fc.Arbitrary<JsonValue>): fc.Arbitrary<JsonValue> =>
  fc.oneof({ weight: 8, arbitrary: good }, { weight: 1, arbitrary: anyJson });

const knownTypes: Record<string, Record<string, fc.Arbitrary<JsonValue>>> = {
  "google.cloud.healthcare.v1.OperationMetadata": {
    apiMethodName: fc.string(),
    createTime: timestamp,
    endTime: timestamp,
    cancelRequested: fc.boolean(),
    logsUrl: anyText().map((path) => `https://example.com/${encodeURI(path)}`),
    counter: fc.tuple(counter, members).map(([fields, more]) => ({ ...more, ...fields })),
  },
  "google.cloud.healthcare.v1beta1.OperationMetadata": { createTime: timestamp, counter },
  "google.cloud.healthcare.v1.fhir.ImportResourcesResponse": {},
  "google.cloud.healthcare.v1beta1.dataset.Dataset": {
    name: fc.string(),
    encryptionSpec: fc.record({ kmsKeyName: fc.string() }, { requiredKeys: [] }),
    satisfiesPzi: fc.boolean(),
  },
  "google.cloud.healthcare.v1.consent.QueryAccessibleDataResponse": { gcsUris: fc.array(fc.string()) },
  "google.cloud.healthcare.v1.fhir.ApplyConsentsResponse": {
    affectedResources: int64,
    failedResources: int64,
  },
  "google.rpc.DebugInfo": { stackEntries: fc.array(fc.string()), detail: fc.string() },
  "google.rpc.ErrorInfo": { reason: fc.string(), metadata: fc.dictionary(fc.string(), fc.string()) },
  "google.protobuf.Empty": {},
};

const known = fc.constantFrom(...Object.keys(knownTypes)).chain((type) => {
  const fields = Object.entries(knownTypes[type] ?? {}).map(([name, good]) => [name, mostly(good)] as const);
  return fc
    .tuple(
      fc.record(Object.fromEntries(fields), { requiredKeys: [] }),
      fc.option(members, { freq: 3, nil: {} }),
    )
    .map(([values, more]) => ({ "@type": PREFIX + type, ...more, ...values }));
});

const unknown = fc
  .tuple(
    fc.constantFrom(
      `${PREFIX}google.cloud.healthcare.v1beta1.NobodyKnows`,
      "example.com/some.Type",
      "google.protobuf.Empty",
      "",
      "/",
      5,
      null,
    ),
    members,
  )
  .map(([type, more]) => ({ ...more, "@type": type }));

const wellKnown = fc.oneof(
  timestamp.map((value) => ({ "@type": `${PREFIX}google.protobuf.Timestamp`, value })),
  anyJson.map((value) => ({ "@type": `${PREFIX}google.protobuf.Timestamp`, value })),
  anyJson.map((value) => ({ "@type": VALUE, value })),
  members.map((value) => ({ "@type": STRUCT, value })),
  fc.constant({ "@type": `${PREFIX}google.protobuf.Duration`, value: "5sx" }),
);

/** Whatever an upstream may put where an Any is expected. */
export const anyAny: fc.Arbitrary<JsonValue> = fc.letrec<{ any: JsonValue }>((tie) => ({
  any: fc.oneof(
    { depthSize: "small", maxDepth: 3 },
    { weight: 5, arbitrary: known as fc.Arbitrary<JsonValue> },
    { weight: 3, arbitrary: unknown as fc.Arbitrary<JsonValue> },
    { weight: 1, arbitrary: members },
    { weight: 2, arbitrary: wellKnown as fc.Arbitrary<JsonValue> },
    { weight: 1, arbitrary: anyJson },
    {
      weight: 1,
      arbitrary: tie("any").map((value) => ({ "@type": `${PREFIX}google.protobuf.Any`, value })),
    },
    {
      weight: 1,
      arbitrary: tie("any").map((detail) => ({
        "@type": `${PREFIX}google.cloud.healthcare.v1.fhir.ApplyAdminConsentsErrorDetail`,
        consentErrors: [{ name: "n", error: { code: 9, message: "m", details: [detail] } }],
      })),
    },
  ),
})).any;

const status = fc.record(
  {
    code: mostly(fc.integer({ min: 0, max: 16 })),
    message: mostly(fc.string()),
    details: fc.array(anyAny, { maxLength: 3 }),
  },
  { requiredKeys: [] },
);

/** An operation as an upstream may send it: always a name, everything else may be odd. */
export const anyOperation: fc.Arbitrary<JsonObject> = fc
  .tuple(
    fc.record({ name: fc.string({ minLength: 1 }) }),
    fc.record({ metadata: anyAny, done: fc.oneof(fc.boolean(), fc.constant(null)) }, { requiredKeys: [] }),
    fc.oneof(
      fc.constant({}),
      fc.record({ response: anyAny }),
      fc.record({ error: mostly(status) }),
      fc.record({ error: status, response: anyAny }),
    ),
    fc.option(members, { freq: 5, nil: {} }),
  )
  .map(([name, state, result, more]) => ({ ...more, ...name, ...state, ...result }) as JsonObject);

/**
 * The JSON view of a decoded message by the documented rules: the ProtoJSON of its type, plus what its type has no
 * field for, whether that is declared (`unknownFields`) or an unknown field of the same number.
 */
export function viewOf(desc: DescMessage, message: Message, registry: Registry): JsonValue {
  if (desc.typeName === "google.protobuf.Any") return viewOfAny(message as Any, registry);
  const json = toJson(desc, message, { registry });
  if (hasCustomJsonRepresentation(desc)) return json;
  const view = json as JsonObject;
  const fields: ReflectMessage = reflect(desc, message);
  for (const field of desc.fields) {
    if (field.number === 2000 || !fields.isSet(field) || field.message === undefined) continue;
    const inner = field.message;
    if (field.fieldKind === "message")
      view[field.jsonName] = viewOf(inner, fields.get(field).message, registry);
    if (field.fieldKind === "list" && field.listKind === "message")
      view[field.jsonName] = [...fields.get(field)].map((item) =>
        viewOf(inner, (item as ReflectMessage).message, registry),
      );
  }
  for (const { no, data } of message.$unknown ?? []) {
    if (no !== 2000) throw new Error(`unexpected field ${no}`);
    // Kept with its length before it, a varint.
    const content = data.findIndex((byte) => byte < 0x80) + 1;
    view["unknownFields"] = toJson(StructSchema, fromBinary(StructSchema, data.subarray(content)));
  }
  return view;
}

function viewOfAny(any: Any, registry: Registry): JsonValue {
  if (any.typeUrl === "") return {};
  const desc = registry.getMessage(any.typeUrl.slice(any.typeUrl.lastIndexOf("/") + 1));
  const message = desc && anyUnpack(any, desc);
  if (!desc || !message) throw new Error(`${any.typeUrl} is not decodable`);
  const inner = viewOf(desc, message, registry);
  return hasCustomJsonRepresentation(desc)
    ? { "@type": any.typeUrl, value: inner }
    : { "@type": any.typeUrl, ...(inner as JsonObject) };
}

/** Fails unless an operation as a caller sees it is the one that was sent, by the documented rules. */
export function expectSameOperation(sent: JsonObject, seen: JsonObject): void {
  const where = JSON.stringify({ sent, seen });
  expect(seen["name"] ?? "", where).toBe(sent["name"]);
  expect(seen["done"] ?? false, where).toBe(sent["done"] ?? false);
  expect(sameAny(sent["metadata"], seen["metadata"]), where).toBe(true);
  const failed = sent["error"] !== undefined && sent["error"] !== null;
  expect("error" in seen, where).toBe(failed);
  if (!failed) expect(sameAny(sent["response"], seen["response"]), where).toBe(true);
  else expectSameStatus(sent["error"] as JsonValue, seen["error"] as JsonObject, where);
}

/** The code and the details; the message where it is one. */
function expectSameStatus(sent: JsonValue, seen: JsonObject, where: string): void {
  if (typeof sent !== "object" || sent === null || Array.isArray(sent)) {
    expect(seen["code"], where).toBe(2);
    expect(sameAny(sent, (seen["details"] as JsonValue[])[0]), where).toBe(true);
    return;
  }
  const code = sent["code"];
  // Only what is a number or a text: an object may have a member that makes Number() throw.
  const isCode =
    (typeof code === "number" || typeof code === "string") &&
    Number.isInteger(Number(code)) &&
    Math.abs(Number(code)) < 2 ** 31 &&
    code !== "";
  // 0, or none, would look like success.
  expect(seen["code"], where).toBe(isCode && Number(code) !== 0 ? Number(code) : 2);
  if (typeof sent["message"] === "string") expect(seen["message"] ?? "", where).toBe(sent["message"]);
  if (!Array.isArray(sent["details"])) return;
  const details = (seen["details"] ?? []) as JsonValue[];
  expect(details, where).toHaveLength(sent["details"].length);
  for (const [index, detail] of sent["details"].entries())
    expect(sameAny(detail, details[index]) || detail === null, where).toBe(true);
}

/** Whether `seen` is what was `sent`, up to the documented wrapping and to what ProtoJSON leaves open. */
export function sameAny(sent: JsonValue | undefined, seen: JsonValue | undefined): boolean {
  if (sent === undefined || sent === null) return seen === undefined;
  if (isObject(sent) && Object.keys(sent).length === 0)
    return isObject(seen) && Object.keys(seen).length === 0;
  if (!isObject(seen)) return false;
  const type = isObject(sent) ? sent["@type"] : undefined;
  if (seen["@type"] === STRUCT && type !== STRUCT) return sameJson(sent, seen["value"]);
  // Not a Struct's value, so it cannot be one: the whole is wrapped in a Struct of its own.
  if (
    seen["@type"] === STRUCT &&
    isObject(seen["value"]) &&
    "@type" in seen["value"] &&
    !sameJson((sent as JsonObject)["value"], seen["value"])
  )
    return sameJson(sent, seen["value"]);
  if (seen["@type"] === VALUE && type !== VALUE) return sameJson(sent, seen["value"]);
  return isObject(sent) && sameMembers(sent, seen);
}

function sameMembers(sent: JsonObject, seen: JsonObject): boolean {
  const { unknownFields, ...others } = seen;
  // `null` is the ProtoJSON of a field that is not set, but of a member that nobody knows it is the value.
  const all = isObject(unknownFields) && !("unknownFields" in sent) ? { ...others, ...unknownFields } : seen;
  return (
    Object.keys(all).every((key) => Object.hasOwn(sent, key)) &&
    Object.entries(sent).every(([key, value]) =>
      Object.hasOwn(all, key) ? sameValue(key, value, own(all, key)) : isDefault(value),
    )
  );
}

function sameValue(key: string, sent: JsonValue, seen: JsonValue | undefined): boolean {
  if (sameJson(sent, seen) || (key === "value" && sameNested(sent, seen))) return true;
  if (key === "details" && Array.isArray(sent) && Array.isArray(seen))
    return sent.length === seen.length && sent.every((item, index) => sameNested(item, seen[index]));
  if (Array.isArray(sent) && Array.isArray(seen))
    return sent.length === seen.length && sent.every((item, index) => sameValue(key, item, seen[index]));
  if (isObject(sent) && isObject(seen)) return sameMembers(sent, seen);
  if (typeof sent === "number" && typeof seen === "string") return BigInt(sent) === BigInt(seen);
  return typeof sent === "string" && typeof seen === "string" && sameNumberOrTime(sent, seen);
}

/** In a list, and as the value of an Any in an Any, `null` has a place to keep. */
function sameNested(sent: JsonValue, seen: JsonValue | undefined): boolean {
  return sent === null
    ? isObject(seen) && seen["@type"] === VALUE && seen["value"] === null
    : sameAny(sent, seen);
}

function sameNumberOrTime(sent: string, seen: string): boolean {
  if (/^-?\d+$/.test(sent) && /^-?\d+$/.test(seen)) return BigInt(sent) === BigInt(seen);
  const fraction = (text: string) => Number(`0${/\.\d+/.exec(text)?.[0] ?? ""}`);
  const second = (text: string) => Date.parse(text.replace(/\.\d+/, ""));
  return /^\d{4}-.*T/.test(sent) && second(sent) === second(seen) && fraction(sent) === fraction(seen);
}

function isDefault(json: JsonValue): boolean {
  if (typeof json === "object" && json !== null) return Object.keys(json).length === 0;
  return json === null || json === false || json === "" || /^-?0+$/.test(String(json));
}

/** Exactly the same JSON. */
export function sameJson(a: JsonValue | undefined, b: JsonValue | undefined): boolean {
  if (Array.isArray(a))
    return Array.isArray(b) && a.length === b.length && a.every((item, index) => sameJson(item, b[index]));
  if (isObject(a))
    return (
      isObject(b) &&
      Object.keys(a).length === Object.keys(b).length &&
      Object.entries(a).every(([key, value]) => Object.hasOwn(b, key) && sameJson(value, own(b, key)))
    );
  return a === b;
}

/** The same text for the same JSON whatever the order of members; -0 is not 0. */
export function sorted(json: unknown): string {
  if (Array.isArray(json)) return `[${json.map(sorted).join(",")}]`;
  if (typeof json !== "object" || json === null)
    return Object.is(json, -0) ? "-0" : (JSON.stringify(json) ?? "nothing");
  const members = Object.entries(json).map(([key, value]) => `${JSON.stringify(key)}:${sorted(value)}`);
  return `{${members.sort().join(",")}}`;
}

function own(json: JsonObject, key: string): JsonValue | undefined {
  return Object.entries(json).find(([name]) => name === key)?.[1];
}

function isObject(json: JsonValue | undefined): json is JsonObject {
  return typeof json === "object" && json !== null && !Array.isArray(json);
}
