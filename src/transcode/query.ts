import type { DescField, DescMessage, Message } from "@bufbuild/protobuf";
import { numberProblem, textProblem } from "./field-limits.ts";
import { compileFieldValue, fieldJson, fieldValue, scalarText } from "./field-value.ts";
import { encodeSegment } from "./percent-encoding.ts";
import { invalidField } from "./refusal.ts";

/**
 * Writes fields of a message as query parameters, `key=value` joined by `&`; `""` when none is set.
 *
 * @throws ConnectError INVALID_ARGUMENT for a value that must not be sent.
 */
export type QueryWriter = (message: Message) => string;

/**
 * Compiles the query of a binding: every field that is neither in the path nor in the body. Keys are lowerCamelCase
 * JSON names, dotted for fields of messages; repeated fields repeat their key; defaults are left out; values are as
 * {@link scalarText}, well-known types that are a text in JSON (Duration, Timestamp, FieldMask, wrappers) included.
 *
 * @param bound proto names of the fields that go elsewhere.
 * @returns the writer; `undefined` when no field is left; a text when one is of a kind that no query can hold.
 * @see https://github.com/googleapis/googleapis/blob/master/google/api/http.proto
 */
export function compileQuery(
  schema: DescMessage,
  bound: ReadonlySet<string>,
): QueryWriter | string | undefined {
  return compileFields(schema, { bound, path: "", key: "", above: [schema] });
}

const NONE: ReadonlySet<string> = new Set();

interface Scope {
  /** Fields to leave out. */
  readonly bound: ReadonlySet<string>;
  /** Proto names up to here, with a dot at the end; `""` at the top. */
  readonly path: string;
  /** The same in JSON names. */
  readonly key: string;
  readonly above: readonly DescMessage[];
}

function compileFields(schema: DescMessage, scope: Scope): QueryWriter | string | undefined {
  const writers: QueryWriter[] = [];
  for (const field of schema.fields) {
    if (scope.bound.has(field.name)) continue;
    const writer = compileField(field, scope);
    if (typeof writer === "string") return writer;
    if (writer) writers.push(writer);
  }
  if (writers.length === 0) return undefined;
  return (message) => {
    let query = "";
    for (const write of writers) {
      const parameters = write(message);
      if (parameters !== "") query = query === "" ? parameters : `${query}&${parameters}`;
    }
    return query;
  };
}

function compileField(field: DescField, scope: Scope): QueryWriter | string | undefined {
  const path = scope.path + field.name;
  const key = `${encodeSegment(scope.key + field.jsonName)}=`;
  switch (field.fieldKind) {
    case "scalar":
    case "enum": {
      const read = compileFieldValue(field);
      return (message) => {
        const value = read(message);
        return value === undefined ? "" : key + encodedText(field, path, value);
      };
    }
    case "list":
      if (field.listKind === "message") return `${path} is a list of messages`;
      return (message) => {
        const values = fieldValue(message, field);
        if (!Array.isArray(values)) return "";
        return values.map((value) => key + encodedText(field, path, value)).join("&");
      };
    case "map":
      return `${path} is a map`;
    case "message":
      return compileMessage(field, field.message, scope);
  }
}

function compileMessage(
  field: DescField,
  schema: DescMessage,
  scope: Scope,
): QueryWriter | string | undefined {
  const path = scope.path + field.name;
  const key = `${encodeSegment(scope.key + field.jsonName)}=`;
  if (JSON_TEXT_TYPES.has(schema.typeName))
    return (message) => {
      const json = jsonText(field, path, message);
      return json === undefined ? "" : key + encodeSegment(json);
    };
  if (JSON_ANY_TYPES.has(schema.typeName)) return `${path} is a ${schema.typeName}`;
  if (scope.above.includes(schema)) return `${path} contains itself`;
  const inner = compileFields(schema, {
    bound: NONE,
    path: `${path}.`,
    key: `${scope.key}${field.jsonName}.`,
    above: [...scope.above, schema],
  });
  if (typeof inner !== "function") return inner;
  return (message) => {
    const value = fieldValue(message, field);
    // The field's kind says that its value is a message.
    return value === undefined ? "" : inner(value as Message);
  };
}

/** Well-known types whose ProtoJSON is one text, number or boolean. */
const JSON_TEXT_TYPES = new Set(
  [
    ...["Timestamp", "Duration", "FieldMask", "DoubleValue", "FloatValue", "Int64Value", "UInt64Value"],
    ...["Int32Value", "UInt32Value", "BoolValue", "StringValue", "BytesValue"],
  ].map((name) => `google.protobuf.${name}`),
);

/** Well-known types whose ProtoJSON may be anything. */
const JSON_ANY_TYPES = new Set(
  ["Any", "Struct", "Value", "ListValue"].map((name) => `google.protobuf.${name}`),
);

function encodedText(field: DescField, path: string, value: unknown): string {
  const text = scalarText(field, value);
  const problem = typeof value === "string" ? textProblem(field, value) : numberProblem(field, value);
  if (problem !== undefined) throw invalidField(path, text, problem);
  return encodeSegment(text);
}

function jsonText(field: DescField, path: string, message: Message): string | undefined {
  let json: unknown;
  try {
    json = fieldJson(field.parent, field, message);
  } catch (cause) {
    throw invalidField(path, undefined, "has a value that JSON cannot express", cause);
  }
  if (json === undefined) return undefined;
  const text = String(json);
  const problem = textProblem(field, text);
  if (problem !== undefined) throw invalidField(path, text, problem);
  return text;
}
