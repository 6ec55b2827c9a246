/**
 * The golden matrix: every google.rpc code in every shape of error body, and the error that callers have to get. Made by
 * hand, for the decoder alone and for the whole way through sockets.
 */
import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";

const HTML_TYPE = { "content-type": "text/html; charset=UTF-8" };

/**
 * What the answer has to be, by hand: each google.rpc code, the HTTP status that Google's APIs send with it, and the
 * code that this status alone means with a JSON body and with any other.
 */
export const CODES: readonly Row[] = [
  { name: "OK", code: 0, http: 418, json: Code.FailedPrecondition, other: Code.FailedPrecondition },
  { name: "CANCELLED", code: 1, http: 499, json: Code.Canceled, other: Code.Canceled },
  { name: "UNKNOWN", code: 2, http: 500, json: Code.Internal, other: Code.Internal },
  { name: "INVALID_ARGUMENT", code: 3, http: 400, json: Code.InvalidArgument, other: Code.InvalidArgument },
  {
    name: "DEADLINE_EXCEEDED",
    code: 4,
    http: 504,
    json: Code.DeadlineExceeded,
    other: Code.DeadlineExceeded,
  },
  { name: "NOT_FOUND", code: 5, http: 404, json: Code.NotFound, other: Code.Unimplemented },
  { name: "ALREADY_EXISTS", code: 6, http: 409, json: Code.Aborted, other: Code.Aborted },
  {
    name: "PERMISSION_DENIED",
    code: 7,
    http: 403,
    json: Code.PermissionDenied,
    other: Code.PermissionDenied,
  },
  {
    name: "RESOURCE_EXHAUSTED",
    code: 8,
    http: 429,
    json: Code.ResourceExhausted,
    other: Code.ResourceExhausted,
  },
  {
    name: "FAILED_PRECONDITION",
    code: 9,
    http: 400,
    json: Code.InvalidArgument,
    other: Code.InvalidArgument,
  },
  { name: "ABORTED", code: 10, http: 409, json: Code.Aborted, other: Code.Aborted },
  { name: "OUT_OF_RANGE", code: 11, http: 400, json: Code.InvalidArgument, other: Code.InvalidArgument },
  { name: "UNIMPLEMENTED", code: 12, http: 501, json: Code.Unimplemented, other: Code.Unimplemented },
  { name: "INTERNAL", code: 13, http: 500, json: Code.Internal, other: Code.Internal },
  { name: "UNAVAILABLE", code: 14, http: 503, json: Code.Unavailable, other: Code.Unavailable },
  { name: "DATA_LOSS", code: 15, http: 500, json: Code.Internal, other: Code.Internal },
  { name: "UNAUTHENTICATED", code: 16, http: 401, json: Code.Unauthenticated, other: Code.Unauthenticated },
];

/** One of each google.rpc detail type, a Healthcare one, one nobody knows, and one that is no object. */
const EVERY_DETAIL: JsonValue[] = [
  { "@type": "type.googleapis.com/google.rpc.ErrorInfo", reason: "R", domain: "healthcare.googleapis.com" },
  { "@type": "type.googleapis.com/google.rpc.RetryInfo", retryDelay: "60s" },
  { "@type": "type.googleapis.com/google.rpc.DebugInfo", stackEntries: ["a"], detail: "d" },
  {
    "@type": "type.googleapis.com/google.rpc.QuotaFailure",
    violations: [{ subject: "s", quotaDimensions: { region: "us" }, quotaValue: "10" }],
  },
  { "@type": "type.googleapis.com/google.rpc.PreconditionFailure", violations: [{ type: "T" }] },
  {
    "@type": "type.googleapis.com/google.rpc.BadRequest",
    fieldViolations: [{ field: "page_size", description: "d" }],
  },
  { "@type": "type.googleapis.com/google.rpc.RequestInfo", requestId: "req-1" },
  { "@type": "type.googleapis.com/google.rpc.ResourceInfo", resourceType: "t", resourceName: "n" },
  { "@type": "type.googleapis.com/google.rpc.Help", links: [{ url: "https://example.com" }] },
  { "@type": "type.googleapis.com/google.rpc.LocalizedMessage", locale: "de", message: "Nein" },
  {
    "@type": "type.googleapis.com/google.cloud.healthcare.v1.fhir.ApplyAdminConsentsErrorDetail",
    existingOperationId: "7",
  },
  { "@type": "type.googleapis.com/google.cloud.healthcare.v9.Unheard", count: 3, list: [null, true] },
  "just a word",
];

/** A google.rpc code and what it is on the wire. */
export interface Row {
  readonly name: string;
  readonly code: number;
  readonly http: number;
  readonly json: Code;
  readonly other: Code;
}

/** A shape of error body and what has to become of it. */
export interface Shape {
  readonly headers?: Record<string, string>;
  readonly body: (row: Row) => JsonValue | string | Uint8Array;
  readonly code: (row: Row) => Code;
  readonly message: RegExp;
  /** Details beside the gateway's ErrorInfo, as JSON. */
  readonly details?: JsonValue[];
}

const byName = (row: Row): Code => (row.code === 0 ? row.json : row.code);
const byHttpJson = (row: Row): Code => row.json;
const byHttpOther = (row: Row): Code => row.other;

const DEBUG: JsonObject = { "@type": "type.googleapis.com/google.rpc.DebugInfo", detail: "d" };

export const SHAPES: Record<string, Shape> = {
  "an error object": {
    body: ({ name, http }) => ({
      error: { code: http, message: "says why", status: name, details: [DEBUG] },
    }),
    code: byName,
    message: /^says why$/,
    details: [DEBUG],
  },
  "an array with an error object": {
    body: ({ name, http }) => [{ other: 1 }, { error: { code: http, message: "says why", status: name } }],
    code: byName,
    message: /^says why$/,
  },
  "a bare Status with a google.rpc code": {
    body: ({ code }) => ({ code, message: "says why", details: [DEBUG] }),
    code: byName,
    message: /^says why$/,
    details: [DEBUG],
  },
  "a bare Status with an HTTP code": {
    body: ({ http }) => ({ code: http, message: "says why" }),
    code: byHttpJson,
    message: /^says why$/,
  },
  "an OAuth error": {
    body: () => ({ error: "invalid_grant", error_description: "Token has been revoked." }),
    code: ({ http, json }) => (http >= 500 ? json : Code.Unauthenticated),
    message: /^invalid_grant: Token has been revoked\.$/,
  },
  "an HTML page": {
    headers: HTML_TYPE,
    body: () => "<!DOCTYPE html><html><title>Error</title>That is an error.</html>",
    code: byHttpOther,
    message: /^HTTP \d+ from upstream \(text\/html\)/,
  },
  "plain text": {
    headers: { "content-type": "text/plain" },
    body: () => "upstream connect error or disconnect/reset before headers",
    code: byHttpOther,
    message: /^HTTP \d+ from upstream \(text\/plain\)/,
  },
  "no body": {
    headers: {},
    body: () => "",
    code: byHttpOther,
    message: /^HTTP \d+ from upstream \(empty body\)/,
  },
  "an error object cut in its details": {
    body: ({ name, http }) => {
      const text = JSON.stringify({
        error: {
          code: http,
          message: "says why",
          status: name,
          details: [DEBUG, { "@type": "x/y", lost: "half of" }],
        },
      });
      return text.slice(0, text.indexOf("half"));
    },
    code: byName,
    message: /^says why$/,
    details: [DEBUG],
  },
  "an error object of a megabyte": {
    body: ({ name, http }) => ({
      error: {
        code: http,
        message: "says why",
        status: name,
        details: [DEBUG, { ...DEBUG, detail: "x".repeat(1e6) }],
      },
    }),
    code: byName,
    message: /^says why$/,
    details: [DEBUG],
  },
  "an error object of the older form": {
    body: ({ http }) => ({
      error: {
        code: http,
        message: "says why",
        errors: [{ message: "says why", domain: "global", reason: "notFound" }],
      },
    }),
    code: byHttpJson,
    message: /^says why$/,
    details: [
      {
        "@type": "type.googleapis.com/google.protobuf.Struct",
        value: { message: "says why", domain: "global", reason: "notFound" },
      },
    ],
  },
  "an error object with every kind of detail": {
    body: ({ name, http }) => ({
      error: { code: http, message: "says why", status: name, details: EVERY_DETAIL },
    }),
    code: byName,
    message: /^says why$/,
    details: EVERY_DETAIL.map((detail) => {
      if (typeof detail === "string")
        return { "@type": "type.googleapis.com/google.protobuf.Value", value: detail };
      return String((detail as JsonObject)["@type"]).endsWith("Unheard")
        ? { "@type": "type.googleapis.com/google.protobuf.Struct", value: detail }
        : detail;
    }),
  },
};
