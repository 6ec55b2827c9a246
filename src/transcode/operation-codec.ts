import { create, type DescMessage, type JsonValue, type MessageShape, toBinary } from "@bufbuild/protobuf";
import {
  type ListOperationsResponse,
  ListOperationsResponseSchema,
  type Operation,
  OperationSchema,
} from "../../gen/google/longrunning/operations_pb.ts";
import { UpstreamFailure } from "../errors/from-failure.ts";
import { type Reading, readAny, readMessage } from "../lib/any-json.ts";
import type { Encoded } from "../lib/encoded.ts";
import { isObject, type JsonDocument, type JsonObject, readJson, setOwn } from "../lib/json-document.ts";
import { LIST_MAX_BYTES, ListTooLarge } from "./list-limit.ts";

/**
 * Decodes the body of a 200 answer that should be an Operation.
 *
 * @throws UpstreamFailure of kind `malformed` when the body cannot be one: it is not a JSON object, or has neither a
 * name nor `done`. Never because of a type or a field.
 */
export function decodeOperation(body: Uint8Array): Encoded<Operation> {
  const document = parse(body);
  const reading = readOperation(rootObject(document), document);
  if (reading.message.name === "" && !reading.message.done) throw malformed("its body is not an operation");
  return encoded(OperationSchema, reading);
}

/** No JSON grows more than this on its way to protobuf: a wrapped scalar brings a type URL of 42 bytes along. */
const GROWTH_MAX = 64;

/**
 * Decodes the body of a 200 answer that should be a page of operations.
 *
 * @throws UpstreamFailure of kind `malformed` when the body is not a JSON object, or its `operations` are no array.
 * @throws ListTooLarge when the page is larger than clients accept.
 */
export function decodeListOperations(body: Uint8Array): Encoded<ListOperationsResponse> {
  const document = parse(body);
  const { operations, ...others } = rootObject(document);
  if (operations !== undefined && operations !== null && !Array.isArray(operations))
    throw malformed("`operations` is not an array");
  const { message, json } = readMessage(ListOperationsResponseSchema, others, document, 0);
  const items = (operations ?? []).map((item) => readListItem(item, document));
  message.operations = items.map((item) => item.message);
  const view = operations ? { operations: items.map((item) => item.json), ...json } : json;
  const answer = encoded(ListOperationsResponseSchema, { message, json: view });
  if (body.length > LIST_MAX_BYTES / GROWTH_MAX && answer.toBinary().length > LIST_MAX_BYTES)
    throw new ListTooLarge(answer.toBinary().length, items.length);
  return answer;
}

/** One bad entry must not cost the page: what is no object stands as the metadata of a nameless operation. */
function readListItem(item: JsonValue, document: JsonDocument): Reading<Operation> {
  if (isObject(item)) return readOperation(item, document);
  const { message, json } = readAny(item, document);
  return { message: create(OperationSchema, { metadata: message }), json: { metadata: json } };
}

function readOperation(json: JsonObject, document: JsonDocument): Reading<Operation, JsonObject> {
  const { error, ...others } = json;
  if (error === undefined || error === null) return readMessage(OperationSchema, json, document, 0);
  // An operation has one result, and the first one read counts: where both are sent, that is to be the error.
  const errorFirst: JsonObject = { error: isObject(error) ? error : { code: UNKNOWN, details: [error] } };
  for (const [key, value] of Object.entries(others)) setOwn(errorFirst, key, value);
  const reading = readMessage(OperationSchema, errorFirst, document, 0);
  const { result } = reading.message;
  const view = reading.json["error"];
  // A code that is no number must not leave a failed operation with code 0, which means success.
  if (result.case === "error" && isObject(view) && hasMember(error, "code") && !Object.hasOwn(view, "code")) {
    result.value.code = UNKNOWN;
    view["code"] = UNKNOWN;
  }
  return reading;
}

/** google.rpc.Code.UNKNOWN. */
const UNKNOWN = 2;

function hasMember(json: JsonValue, name: string): boolean {
  return isObject(json) && json[name] !== undefined && json[name] !== null;
}

function rootObject(document: JsonDocument): JsonObject {
  if (!isObject(document.root)) throw malformed("its body is not a JSON object");
  return document.root;
}

function parse(body: Uint8Array): JsonDocument {
  try {
    return readJson(new TextDecoder().decode(body));
  } catch (cause) {
    throw malformed("its body is not JSON", cause);
  }
}

function malformed(what: string, cause?: unknown): UpstreamFailure {
  return new UpstreamFailure("malformed", what, { cause });
}

function encoded<Desc extends DescMessage>(
  schema: Desc,
  reading: Reading<MessageShape<Desc>>,
): Encoded<MessageShape<Desc>> {
  let binary: Uint8Array | undefined;
  let json: Uint8Array | undefined;
  return {
    encoded: true,
    schema,
    toBinary: () => {
      binary ??= toBinary(schema, reading.message);
      return binary;
    },
    toJson: () => {
      json ??= new TextEncoder().encode(JSON.stringify(reading.json));
      return json;
    },
    toMessage: () => reading.message,
  };
}
