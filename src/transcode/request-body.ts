import type { DescField, DescMessage, JsonValue, Message } from "@bufbuild/protobuf";
import { textProblem } from "./field-limits.ts";
import { fieldJson, fieldValue } from "./field-value.ts";
import { invalidField } from "./refusal.ts";

/**
 * Writes the HTTP body of a binding; `undefined`: none.
 *
 * @throws ConnectError INVALID_ARGUMENT for a value that must not be sent.
 */
export type BodyWriter = (message: Message) => Uint8Array | undefined;

const utf8 = new TextEncoder();

/** What is left of most requests once the name is in the path. One array for all; nobody may write to it. */
const EMPTY_OBJECT = utf8.encode("{}");

/** `body: "*"`: the message as ProtoJSON without the fields `bound` to the path, `{}` when none is left. */
export function compileWholeBody(schema: DescMessage, bound: ReadonlySet<string>): BodyWriter {
  const fields = schema.fields.filter((field) => !bound.has(field.name));
  return (message) => {
    let body: Record<string, JsonValue> | undefined;
    for (const field of fields) {
      const json = checkedJson(schema, field, message);
      if (json === undefined) continue;
      body ??= {};
      body[field.jsonName] = json;
    }
    return body ? utf8.encode(JSON.stringify(body)) : EMPTY_OBJECT;
  };
}

/** `body: field`: the value of one field as ProtoJSON; no body when it is not set. */
export function compileFieldBody(schema: DescMessage, field: DescField): BodyWriter {
  return (message) => {
    const json = checkedJson(schema, field, message);
    return json === undefined ? undefined : utf8.encode(JSON.stringify(json));
  };
}

function checkedJson(schema: DescMessage, field: DescField, message: Message): JsonValue | undefined {
  const value = fieldValue(message, field);
  if (value === undefined) return undefined;
  const problem = typeof value === "string" ? textProblem(field, value) : undefined;
  if (problem !== undefined) throw invalidField(field.name, String(value), problem);
  try {
    return fieldJson(schema, field, message);
  } catch (cause) {
    throw invalidField(field.name, undefined, "has a value that JSON cannot express", cause);
  }
}
