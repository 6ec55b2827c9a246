import type { DescField, DescMessage, Message } from "@bufbuild/protobuf";
import type { ConnectError } from "@connectrpc/connect";
import type { RestRequest } from "../lib/rest.ts";
import { MAX_TARGET_LENGTH } from "./field-limits.ts";
import { compileFieldValue, fieldValue, scalarText } from "./field-value.ts";
import type { PathTemplate } from "./path-template.ts";
import { encodeSegment, encodeSegments } from "./percent-encoding.ts";
import { compileQuery, type QueryWriter } from "./query.ts";
import { invalidField } from "./refusal.ts";
import { type BodyWriter, compileFieldBody, compileWholeBody } from "./request-body.ts";
import { MAX_NAME_BYTES, nameProblem } from "./resource-name.ts";
import { compileSegmentPattern, NO_MATCH, type SegmentPattern, UNUSUAL } from "./segment-pattern.ts";
import { FHIR_STORE_OPERATION, isFhirStoreOperation } from "./shape-mismatch.ts";
import { isStablePath } from "./stable-path.ts";

/** One way to call a method, compiled from its HTTP rule. */
export interface Binding {
  readonly verb: RestRequest["verb"];
  readonly template: PathTemplate;
  /** As in the rule; `undefined`: no body. */
  readonly body: string | undefined;
  readonly variables: readonly PathVariable[];
  /**
   * The request for a message, or `undefined` when the message does not fit the template.
   *
   * @throws ConnectError INVALID_ARGUMENT for a name or field that must not be sent at all.
   */
  request(message: Message): RestRequest | undefined;
  /** The path of a message that fits, before encoding; for comparing it with the templates of other methods. */
  rawPath(message: Message): string;
}

/** A variable of a path template, tied to the field that fills it. */
export interface PathVariable {
  readonly field: DescField;
  readonly pattern: SegmentPattern;
  /** The field's value as text; `""` when it is not set. */
  read(message: Message): string;
}

/** Why a binding cannot be compiled: which key of the rule, and what about it. */
export interface BindingProblem {
  readonly key: "verb" | "body";
  readonly reason: string;
  readonly allowed: string;
}

interface Part extends PathVariable {
  /** Literal text in front of the variable. */
  readonly before: string;
  /** Whether a name of a FHIR store's operation fits, so that each name must be looked at. */
  readonly guarded: boolean;
}

/** Compiles one binding of a method whose request message is `schema`. */
export function compileBinding(
  schema: DescMessage,
  verb: RestRequest["verb"],
  template: PathTemplate,
  body: string | undefined,
): Binding | BindingProblem {
  const path = compilePath(schema, template);
  if ("reason" in path) return path;
  const { parts, after } = path;
  const bound = new Set(parts.map(({ field }) => field.name));
  const rest = compileRest(schema, verb, body, bound);
  if ("reason" in rest) return rest;
  const { query, writeBody } = rest;

  function request(message: Message): RestRequest | undefined {
    let target = "";
    let unusual = false;
    for (const part of parts) {
      const value = part.read(message);
      const match = value.length > MAX_NAME_BYTES ? NO_MATCH : part.pattern.match(value);
      if (match === NO_MATCH) return undefined;
      if (part.guarded) refuseFhirStoreOperation(part, value);
      if (match === UNUSUAL) unusual = true;
      target += part.before + (match === UNUSUAL ? encodeChecked(part, value) : value);
    }
    target += after;
    if (unusual) refuseUnstablePath(parts, target);
    if (query) {
      const parameters = query(message);
      if (parameters !== "") target += `?${parameters}`;
    }
    if (target.length > MAX_TARGET_LENGTH) throw tooLong(schema, message);
    return { verb, path: target, body: writeBody ? writeBody(message) : undefined };
  }

  function rawPath(message: Message): string {
    return parts.map((part) => part.before + part.read(message)).join("") + after;
  }

  return { verb, template, body, variables: parts, request, rawPath };
}

function compilePath(
  schema: DescMessage,
  template: PathTemplate,
): { parts: Part[]; after: string } | BindingProblem {
  const parts: Part[] = [];
  let literal = "";
  for (const segment of template.segments) {
    literal += "/";
    if (typeof segment === "string") {
      literal += segment;
      continue;
    }
    const field = schema.fields.find(({ name }) => name === segment.fieldPath);
    if (!field || (field.fieldKind !== "scalar" && field.fieldKind !== "enum")) {
      const why = field ? "is not a single scalar" : `is not a field of ${schema.typeName}`;
      return {
        key: "verb",
        reason: `the variable "${segment.fieldPath}" ${why}`,
        allowed: variableFields(schema),
      };
    }
    const pattern = compileSegmentPattern(segment.pattern);
    const guarded = pattern.match(SOME_FHIR_STORE_OPERATION) !== NO_MATCH;
    parts.push({ field, pattern, guarded, before: literal, read: compileRead(field) });
    literal = "";
  }
  return { parts, after: template.verb === undefined ? literal : `${literal}:${template.verb}` };
}

/** Says whether a pattern has room for such names. */
const SOME_FHIR_STORE_OPERATION = "projects/p/locations/l/datasets/d/fhirStores/f/operations/o";

function compileRead(field: DescField): (message: Message) => string {
  const read = compileFieldValue(field);
  return (message) => {
    const value = read(message);
    return typeof value === "string" ? value : value === undefined ? "" : scalarText(field, value);
  };
}

function compileRest(
  schema: DescMessage,
  verb: RestRequest["verb"],
  body: string | undefined,
  bound: ReadonlySet<string>,
): { query: QueryWriter | undefined; writeBody: BodyWriter | undefined } | BindingProblem {
  if (body !== undefined && (verb === "GET" || verb === "DELETE"))
    return { key: "body", reason: `a ${verb} has no body`, allowed: "no body" };
  if (body === "*") return { query: undefined, writeBody: compileWholeBody(schema, bound) };
  const field = schema.fields.find(({ name }) => name === body);
  if (body !== undefined && (!field || bound.has(body))) {
    const why = field ? "is in the path already" : `is not a field of ${schema.typeName}`;
    const names = schema.fields.map(({ name }) => name).filter((name) => !bound.has(name));
    return { key: "body", reason: `"${body}" ${why}`, allowed: ["*", ...names].join(", ") };
  }
  const query = compileQuery(schema, field ? new Set([...bound, field.name]) : bound);
  if (typeof query === "string")
    return { key: "body", reason: `${query}, which no query can hold`, allowed: 'body: "*"' };
  return { query, writeBody: field && compileFieldBody(schema, field) };
}

function variableFields(schema: DescMessage): string {
  return schema.fields
    .filter(({ fieldKind }) => fieldKind === "scalar" || fieldKind === "enum")
    .map(({ name }) => name)
    .join(", ");
}

function encodeChecked(part: Part, value: string): string {
  const problem = nameProblem(value);
  if (problem !== undefined) throw invalidField(part.field.name, value, problem);
  return part.pattern.single ? encodeSegment(value) : encodeSegments(value);
}

function refuseFhirStoreOperation(part: Part, value: string): void {
  if (isFhirStoreOperation(value)) throw invalidField(part.field.name, value, FHIR_STORE_OPERATION);
}

/**
 * The last gate: what a URL parser makes of the path must be the path. Nothing that passes nameProblem is known to
 * fail here. A path of unreserved characters without dot segments cannot, so only those with something encoded pay.
 */
function refuseUnstablePath(parts: readonly Part[], path: string): void {
  if (isStablePath(path)) return;
  throw invalidField(
    parts[0]?.field.name ?? "name",
    undefined,
    "would be changed on its way by a URL parser",
  );
}

/** The violation is on the longest text, since that is the one to shorten. */
function tooLong(schema: DescMessage, message: Message): ConnectError {
  const length = (field: DescField) => String(fieldValue(message, field) ?? "").length;
  const [longest] = schema.fields.toSorted((a, b) => length(b) - length(a));
  return invalidField(
    longest?.name ?? "",
    undefined,
    `makes the URL longer than ${MAX_TARGET_LENGTH} characters`,
  );
}
