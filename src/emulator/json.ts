/** A JSON value. The emulator speaks plain JSON and knows no protobuf: what it says is what Google's REST API says. */
export type Json = string | number | boolean | null | readonly Json[] | JsonObject;

/** A JSON object; a property that is `undefined` is left out of the text, as ProtoJSON leaves out defaults. */
export interface JsonObject {
  readonly [key: string]: Json | undefined;
}

/** Tells an object from the other JSON values (arrays and `null` are none). */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The `@type` of a message: `type.googleapis.com/` and its full name. */
export function typeUrl(fullName: string): string {
  return `type.googleapis.com/${fullName}`;
}
