import { create } from "@bufbuild/protobuf";
import { type Any, anyPack } from "@bufbuild/protobuf/wkt";
import { ConnectError } from "@connectrpc/connect";
import {
  type ConformancePayload_RequestInfo,
  ConformancePayload_RequestInfoSchema,
  type Error as ErrorDefinition,
  type Header,
  HeaderSchema,
} from "../../.cache/conformance/gen/connectrpc/conformance/v1/service_pb.ts";

/** What a call has observed of its request, in the form that the runner wants it echoed. */
export interface Observed {
  readonly headers: Iterable<[name: string, value: string]>;
  /** Milliseconds left; `undefined` without a deadline. */
  readonly timeoutMs: number | undefined;
  /** Query parameters of a Connect GET. */
  readonly query: Iterable<[name: string, value: string]> | undefined;
}

export function requestInfo(observed: Observed, requests: Any[]): ConformancePayload_RequestInfo {
  return create(ConformancePayload_RequestInfoSchema, {
    requestHeaders: toHeaders(observed.headers),
    requests,
    ...(observed.timeoutMs !== undefined && { timeoutMs: BigInt(Math.floor(observed.timeoutMs)) }),
    ...(observed.query && { connectGetInfo: { queryParams: toHeaders(observed.query) } }),
  });
}

/** The error that a test case asks for, with what was observed as its last detail if given. */
export function toConnectError(
  definition: ErrorDefinition,
  info?: ConformancePayload_RequestInfo,
): ConnectError {
  const error = new ConnectError(definition.message ?? "", definition.code as number);
  const details = [...definition.details];
  if (info) details.push(anyPack(ConformancePayload_RequestInfoSchema, info));
  error.details = details.map(({ typeUrl, value }) => ({
    type: typeUrl.slice(typeUrl.lastIndexOf("/") + 1),
    value,
  }));
  return error;
}

/** Sets the headers or trailers that a test case asks for. */
export function setAll(
  target: { append(name: string, value: string): void },
  headers: readonly Header[] | undefined,
): void {
  for (const { name, value } of headers ?? []) for (const line of value) target.append(name, line);
}

function toHeaders(entries: Iterable<[string, string]>): Header[] {
  const byName = new Map<string, string[]>();
  for (const [name, value] of entries) byName.set(name, [...(byName.get(name) ?? []), value]);
  return Array.from(byName, ([name, value]) => create(HeaderSchema, { name, value }));
}
