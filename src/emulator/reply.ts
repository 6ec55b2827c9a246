import type { Json } from "./json.ts";

/** An answer before it is written: JSON is printed late, because the request says how (`prettyPrint`). */
export interface Reply {
  readonly status: number;
  /** By lower-case name; without content-type and content-length. */
  readonly headers: Readonly<Record<string, string>>;
  readonly content: Content;
}

/** What the body of a {@link Reply} is. */
export type Content =
  | { readonly type: "json"; readonly value: Json }
  | { readonly type: "bytes"; readonly contentType: string; readonly bytes: Uint8Array }
  | { readonly type: "none" };

/** Headers that Google's API servers put on every JSON answer. */
export const API_HEADERS: Readonly<Record<string, string>> = {
  vary: "Origin, X-Origin, Referer",
  server: "ESF",
  "cache-control": "private",
  "x-xss-protection": "0",
  "x-frame-options": "SAMEORIGIN",
  "x-content-type-options": "nosniff",
};

/** An answer with a JSON body from the API server. */
export function jsonReply(status: number, value: Json, headers: Record<string, string> = {}): Reply {
  return { status, headers: { ...API_HEADERS, ...headers }, content: { type: "json", value } };
}

/** An answer with a text body of any type. */
export function textReply(
  status: number,
  contentType: string,
  text: string,
  headers: Record<string, string> = {},
): Reply {
  return {
    status,
    headers,
    content: { type: "bytes", contentType, bytes: new TextEncoder().encode(text) },
  };
}
