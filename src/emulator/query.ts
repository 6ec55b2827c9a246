import { badRequest, errorInfo, googleError } from "./google-error.ts";
import type { Reply } from "./reply.ts";

/** The query of a request after checking: fields of the request message, and how the answer is to be printed. */
export interface Query {
  /** By name in snake_case, whichever spelling was sent. */
  readonly fields: ReadonlyMap<string, string>;
  readonly prettyPrint: boolean;
  /** `$.xgafv=1`: errors carry the older `errors` list too. */
  readonly legacyErrors: boolean;
  /** The bearer token of `access_token` or `oauth_token`, which count as credentials. */
  readonly token: string | undefined;
  /** `alt`: the format of the answer; JSON is the only one here. */
  readonly alt: string;
}

/** Parameters that every method of a Google API takes; with `$` or without. */
const SYSTEM_PARAMETERS = new Set([
  ".xgafv",
  "access_token",
  "alt",
  "callback",
  "fields",
  "key",
  "oauth_token",
  "prettyPrint",
  "quotaUser",
  "uploadType",
  "upload_protocol",
]);

/** Reads a query without judging it; problems come from {@link checkQuery}, after authentication. */
export function parseQuery(search: string): Query {
  const fields = new Map<string, string>();
  const system = new Map<string, string>();
  for (const [key, value] of new URLSearchParams(search)) {
    const bare = key.startsWith("$") ? key.slice(1) : key;
    if (SYSTEM_PARAMETERS.has(bare)) system.set(bare, value);
    else fields.set(snakeCase(key), value);
  }
  return {
    fields,
    prettyPrint: !["false", "0"].includes(system.get("prettyPrint") ?? ""),
    legacyErrors: system.get(".xgafv") === "1",
    token: system.get("access_token") ?? system.get("oauth_token"),
    alt: system.get("alt") ?? "json",
  };
}

/** Refuses parameters that the method's request message has no field for, as the transcoder does, and other formats. */
export function checkQuery(query: Query, allowed: readonly string[]): Reply | undefined {
  if (query.alt.split(";")[0] !== "json") {
    return googleError(400, "INVALID_ARGUMENT", `The emulator answers alt=json only, not alt=${query.alt}.`, [
      errorInfo("SYSTEM_PARAMETER_UNSUPPORTED", { service: "healthcare.googleapis.com", parameter: "alt" }),
    ]);
  }
  for (const name of query.fields.keys()) {
    if (allowed.includes(name)) continue;
    return badRequest(
      `Invalid JSON payload received. Unknown name "${name}": Cannot bind query parameter. Field '${name}' could not be found in request message.`,
    );
  }
  return undefined;
}

/** An int32 field; `undefined` when it is not sent. */
export function int32Field(query: Query, name: string): number | undefined | Reply {
  const text = query.fields.get(name);
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!/^[+-]?\d+$/.test(text) || Math.abs(value) > 2 ** 31 - 1) {
    return badRequest(`Invalid value at '${name}' (TYPE_INT32), "${text}"`, name);
  }
  return value;
}

/** A bool field; false when it is not sent. */
export function boolField(query: Query, name: string): boolean | Reply {
  const text = query.fields.get(name);
  if (text === undefined || text === "false") return false;
  if (text === "true") return true;
  return badRequest(`Invalid value at '${name}' (TYPE_BOOL), "${text}"`, name);
}

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
