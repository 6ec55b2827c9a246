import { legacyReason } from "./http-codes.ts";
import { isJsonObject, type Json } from "./json.ts";
import type { Query } from "./query.ts";
import type { Reply } from "./reply.ts";

/** A reply as bytes, printed as the request asks for it. */
export function renderReply(
  reply: Reply,
  query: Query,
): { status: number; headers: Record<string, string>; body: Uint8Array } {
  const { status, headers, content } = reply;
  switch (content.type) {
    case "json": {
      const value = query.legacyErrors ? withLegacyErrors(status, content.value) : content.value;
      const body = printJson(value, query.prettyPrint);
      return { status, headers: { "content-type": "application/json; charset=UTF-8", ...headers }, body };
    }
    case "bytes":
      return { status, headers: { "content-type": content.contentType, ...headers }, body: content.bytes };
    case "none":
      return { status, headers: { ...headers }, body: new Uint8Array() };
  }
}

/** JSON as Google prints it: indented by two, with a line feed at the end, unless the request asked for one line. */
function printJson(value: Json, pretty: boolean): Uint8Array {
  return new TextEncoder().encode(pretty ? `${JSON.stringify(value, null, 2)}\n` : JSON.stringify(value));
}

/** `$.xgafv=1` asks for the older list `errors` beside what errors hold today. */
function withLegacyErrors(status: number, value: Json): Json {
  const error = isJsonObject(value) ? value["error"] : undefined;
  if (!isJsonObject(error)) return value;
  const errors = [{ message: error["message"], domain: "global", reason: legacyReason(status) }];
  return { error: { code: error["code"], message: error["message"], errors, ...error } };
}
