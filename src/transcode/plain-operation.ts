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

/**
 * The plain way from JSON to messages, by objects: exact for every body, and slow. json-transcoder.ts leaves to it what
 * is unusual, and is held equal to it by a property test.
 *
 * @throws UpstreamFailure as decodeOperation does.
 */
export function decodePlainOperation(body: Uint8Array): Encoded<Operation> {
  const document = parse(body);
  const reading = readOperation(rootObject(document), document);
  if (reading.message.name === "" && !reading.message.done) throw malformed("its body is not an operation");
  return encoded(OperationSchema, reading);
}

/**
 * As {@link decodePlainOperation}, for a page.
 *
 * @throws UpstreamFailure as decodeListOperations does.
 */
export function decodePlainList(body: Uint8Array): Encoded<ListOperationsResponse> {
  const document = parse(body);
  const { operations, ...others } = rootObject(document);
  if (operations !== undefined && operations !== null && !Array.isArray(operations))
    throw malformed("`operations` is not an array");
  const { message, json } = readMessage(ListOperationsResponseSchema, others, document, 0);
  const items = (operations ?? []).map((item) => readListItem(item, document));
  message.operations = items.map((item) => item.message);
  const view = operations ? { operations: items.map((item) => item.json), ...json } : json;
  return encoded(ListOperationsResponseSchema, { message, json: view });
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
  // Code 0 means success: what is sent, left out or of another shape must not leave a failed operation with it.
  if (result.case === "error" && isObject(view) && result.value.code === 0) {
    result.value.code = UNKNOWN;
    view["code"] = UNKNOWN;
  }
  return reading;
}

/** google.rpc.Code.UNKNOWN. */
const UNKNOWN = 2;

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
