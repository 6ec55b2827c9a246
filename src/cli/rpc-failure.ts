import { fromBinary, type JsonValue, toJson } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import {
  BadRequestSchema,
  DebugInfoSchema,
  ErrorInfoSchema,
  HelpSchema,
  PreconditionFailureSchema,
  QuotaFailureSchema,
  RetryInfoSchema,
} from "../../gen/google/rpc/error_details_pb.ts";
import { LAYER_HEADER } from "../errors/reasons.ts";
import { registry } from "../lib/any-registry.ts";
import { codeName } from "../lib/code-names.ts";
import { CommandError, EXIT } from "./exit-codes.ts";
import type { ClientSettings } from "./gateway-client.ts";
import { systemCause } from "./system-code.ts";
import { describeTlsFailure, isTlsFailure } from "./tls-failure.ts";

/** Turns whatever a call to the gateway threw into a failure that the user can read and act on. */
export function explainRpcFailure(error: unknown, settings: ClientSettings): CommandError {
  const failure = inOwnWords(ConnectError.from(error));
  const unanswered = whyNoAnswer(failure, settings);
  const told = unanswered === undefined ? failure : new ConnectError(unanswered, Code.Unavailable);
  const noAnswer = unanswered !== undefined || failure.code === Code.DeadlineExceeded;
  const exitCode = noAnswer ? EXIT.NO_ANSWER : EXIT.FAILED;
  if (settings.output === "json") return new CommandError(asJson(told), exitCode, "");
  return new CommandError(unanswered ?? asLines(failure), exitCode);
}

/** Why there was no gateway to speak with, and what to do; `undefined` where one has answered, or none in time. */
function whyNoAnswer(failure: ConnectError, { address: { text, tls } }: ClientSettings): string | undefined {
  const cause = systemCause(failure);
  const unreachable = UNREACHABLE[cause?.code ?? ""];
  // So a gateway takes leave of who speaks TLS or clear text where it does not.
  if (BROKEN_OFF.has(cause?.code ?? "") || isCutStream(failure))
    return `no gateway answers at ${text}: ${UNREACHABLE["ECONNRESET"]}; if it speaks ${tls ? "no TLS" : "TLS only"}, call it as ${tls ? "http" : "https"}://…`;
  if (unreachable !== undefined)
    return `no gateway answers at ${text}: ${unreachable}; start one with "lro-gateway serve", or name another with --address`;
  return cause && isTlsFailure(cause.code) ? `no TLS with ${text}: ${describeTlsFailure(cause)}` : undefined;
}

/** connect-es says of its own deadline that "the operation" timed out; ours are another thing. */
function inOwnWords(failure: ConnectError): ConnectError {
  if (failure.code !== Code.DeadlineExceeded || failure.metadata.has(LAYER_HEADER)) return failure;
  return new ConnectError(
    "the call was not answered in time; --timeout sets how long it may take",
    failure.code,
  );
}

/** connect-es' word for an HTTP/2 stream that ended with its connection; the gateway's own CANCELLED has a layer. */
function isCutStream(failure: ConnectError): boolean {
  return failure.code === Code.Canceled && !failure.metadata.has(LAYER_HEADER);
}

/** Why no gateway answers, by the error code of the system or of Node.js. */
const UNREACHABLE: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused",
  ECONNRESET: "the connection was broken off",
  ENOTFOUND: "the host name is unknown",
  EAI_AGAIN: "the host name cannot be resolved now",
  EHOSTUNREACH: "the host cannot be reached",
  ENETUNREACH: "the network cannot be reached",
  ETIMEDOUT: "the connection timed out",
  ENOENT: "there is no such socket",
  EACCES: "permission denied",
  ERR_HTTP2_ERROR: "what listens there does not speak HTTP/2",
};

/** A connection that was closed while a request was on its way: what is told depends on which comes first. */
const BROKEN_OFF: ReadonlySet<string> = new Set(["ECONNRESET", "EPIPE"]);

/** Whether no connection to a gateway could be made at all, so that nothing can have been sent. */
export function neverConnected(error: ConnectError): boolean {
  const code = systemCause(error)?.code ?? "";
  return (code in UNREACHABLE && code !== "ECONNRESET") || isTlsFailure(code);
}

/** What a ConnectError says, in lines. */
export function describeRpcFailure(error: unknown): string {
  return asLines(ConnectError.from(error));
}

/** A failure in lines: code and message, then each detail, then what identifies the call. */
function asLines(failure: ConnectError): string {
  const lines = [`${codeName(failure.code)}: ${failure.rawMessage}`];
  for (const { fieldViolations } of failure.findDetails(BadRequestSchema))
    for (const { field, description } of fieldViolations) lines.push(`field ${field}: ${description}`);
  for (const { violations } of failure.findDetails(QuotaFailureSchema))
    for (const { subject, description } of violations) lines.push(`quota ${subject}: ${description}`);
  for (const { violations } of failure.findDetails(PreconditionFailureSchema))
    for (const { subject, description } of violations) lines.push(`precondition ${subject}: ${description}`);
  for (const { detail } of failure.findDetails(DebugInfoSchema)) lines.push(`detail: ${detail}`);
  for (const { reason, domain } of failure.findDetails(ErrorInfoSchema))
    lines.push(`reason: ${reason} (${domain})`);
  for (const { retryDelay } of failure.findDetails(RetryInfoSchema))
    if (retryDelay) lines.push(`try again in: ${Number(retryDelay.seconds) + retryDelay.nanos / 1e9} s`);
  for (const { links } of failure.findDetails(HelpSchema))
    for (const { description, url } of links) lines.push(`help: ${description} ${url}`);
  for (const [name, label] of IDENTIFYING) {
    const value = failure.metadata.get(name);
    if (value !== null) lines.push(`${label}: ${value}`);
  }
  return lines.join("\n  ");
}

/** Response metadata that helps to find the call in logs. */
const IDENTIFYING: readonly (readonly [header: string, label: string])[] = [
  ["lro-error-layer", "failed in"],
  ["x-request-id", "request id"],
  ["lro-upstream-request-id", "upstream request id"],
  ["lro-upstream-status", "upstream HTTP status"],
];

/** A failure as a google.rpc.Status in JSON, as Google's REST APIs write one. */
function asJson({ code, rawMessage, details }: ConnectError): string {
  const status = { code, status: codeName(code), message: rawMessage, details: details.map(detailJson) };
  return JSON.stringify({ error: status }, undefined, 2);
}

/** A detail as it came over the wire; one of an unknown type, or that cannot be decoded, keeps its type alone. */
function detailJson(detail: ConnectError["details"][number]): JsonValue {
  if ("desc" in detail) return { "@type": detail.desc.typeName };
  const type = { "@type": `type.googleapis.com/${detail.type}` };
  const schema = registry.getMessage(detail.type);
  if (!schema) return type;
  try {
    const json = toJson(schema, fromBinary(schema, detail.value), { registry });
    return typeof json === "object" ? { ...type, ...json } : { ...type, value: json };
  } catch {
    return type;
  }
}
