import type { JsonValue } from "@bufbuild/protobuf";
import { isObject, type JsonDocument, type JsonObject, readJsonPrefix } from "../lib/json-document.ts";
import { redact } from "./redact.ts";

/** An error body, told apart by shape; nothing in it is believed yet. */
export type ErrorBody =
  /** `{"error": {code, message, status, details, errors}}`, alone or in an array (AIP-193 and its older form). */
  | { readonly shape: "google"; readonly error: JsonObject; readonly document: JsonDocument }
  /** `{"code", "message", "details"}`: a bare google.rpc.Status, as ESP and other transcoders send it. */
  | { readonly shape: "status"; readonly error: JsonObject; readonly document: JsonDocument }
  /** `{"error": "invalid_grant", "error_description"}`: a token endpoint (RFC 6749 §5.2). */
  | { readonly shape: "oauth"; readonly error: string; readonly description: string }
  /** JSON of no known shape. */
  | { readonly shape: "json" }
  /** HTML, text, nothing. */
  | { readonly shape: "other" };

/** How much of an error body is looked at. Real ones are below 4 KiB; the rest of a longer one is not read. */
const ERROR_BODY_MAX_BYTES = 64 * 1024;

/** What some Google front ends put before JSON, so that it cannot be run as a script. */
const XSSI_PREFIX = /^\s*\)\]\}'/;

/**
 * Tells what an error body is by trying, not by its Content-Type. A body that breaks off, or is cut at
 * {@link ERROR_BODY_MAX_BYTES}, is read as far as it goes: the code and message of Google's errors come first.
 * What looks like a credential is taken out before anything else.
 */
export function readErrorBody(body: Uint8Array): ErrorBody {
  const text = redact(new TextDecoder().decode(body.subarray(0, ERROR_BODY_MAX_BYTES))).replace(
    XSSI_PREFIX,
    "",
  );
  // Without this check a text like `-` or `t` would count as the start of a JSON value.
  if (!/^\s*[[{]/.test(text)) return { shape: "other" };
  let document: JsonDocument;
  try {
    document = readJsonPrefix(text);
  } catch {
    return { shape: "other" };
  }
  const json = Array.isArray(document.root) ? document.root.find(hasError) : document.root;
  if (!isObject(json)) return { shape: "json" };
  const { error } = json;
  if (isObject(error)) return { shape: "google", error, document };
  if (typeof error === "string") {
    const description = json["error_description"];
    return { shape: "oauth", error, description: typeof description === "string" ? description : "" };
  }
  if (isNumber(json["code"]) && (typeof json["message"] === "string" || Array.isArray(json["details"])))
    return { shape: "status", error: json, document };
  return { shape: "json" };
}

function hasError(item: JsonValue): boolean {
  return isObject(item) && (isObject(item["error"]) || typeof item["error"] === "string");
}

function isNumber(json: JsonValue | undefined): boolean {
  return typeof json === "number" || (typeof json === "string" && /^[0-9]{1,3}$/.test(json));
}
