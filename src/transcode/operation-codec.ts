import type { DescMessage, JsonValue, MessageShape } from "@bufbuild/protobuf";
import { create, toBinary, toJsonString } from "@bufbuild/protobuf";
import type { ListOperationsResponse, Operation } from "../../gen/google/longrunning/operations_pb.ts";
import { ListOperationsResponseSchema, OperationSchema } from "../../gen/google/longrunning/operations_pb.ts";
import type { Status } from "../../gen/google/rpc/status_pb.ts";
import { StatusSchema } from "../../gen/google/rpc/status_pb.ts";
import { UpstreamFailure } from "../errors/from-failure.ts";
import { anyFromJson, messageFromJson } from "../lib/any-json.ts";
import { registry } from "../lib/any-registry.ts";
import type { Encoded } from "../lib/encoded.ts";
import type { JsonDocument, JsonObject } from "../lib/json-document.ts";
import { readJson, setOwn } from "../lib/json-document.ts";
import { LIST_MAX_BYTES, ListTooLarge } from "./list-limit.ts";

/**
 * Decodes the body of a 200 answer that should be an Operation.
 *
 * @throws UpstreamFailure of kind `malformed` when the body is not a JSON object that can be one: not JSON at all, or
 * neither a name nor `done`. Never because of a type or a field.
 */
export function decodeOperation(body: Uint8Array): Encoded<Operation> {
  const document = parse(body);
  const json = document.root;
  if (!isObject(json)) throw malformed("its body is not a JSON object");
  const operation = operationFromJson(json, document);
  if (operation.name === "" && !operation.done) throw malformed("its body is not an operation");
  return encoded(OperationSchema, operation);
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
  const json = document.root;
  if (!isObject(json)) throw malformed("its body is not a JSON object");
  const { operations, ...others } = json;
  if (operations !== undefined && operations !== null && !Array.isArray(operations))
    throw malformed("`operations` is not an array");
  const page = messageFromJson(ListOperationsResponseSchema, others, document, 1);
  page.operations = (operations ?? []).map((item) =>
    isObject(item)
      ? operationFromJson(item, document)
      : create(OperationSchema, { metadata: anyFromJson(item, document) }),
  );
  const answer = encoded(ListOperationsResponseSchema, page);
  if (body.length > LIST_MAX_BYTES / GROWTH_MAX && answer.toBinary().length > LIST_MAX_BYTES)
    throw new ListTooLarge(answer.toBinary().length, page.operations.length);
  return answer;
}

function operationFromJson(json: JsonObject, document: JsonDocument): Operation {
  const { error, ...others } = json;
  const failed = error !== undefined && error !== null;
  const rest: JsonObject = {};
  for (const [key, value] of Object.entries(others)) {
    // An operation has one result. If the upstream sends both, the error counts.
    if (!(failed && key === "response")) setOwn(rest, key, value);
  }
  const operation = messageFromJson(OperationSchema, rest, document, 0);
  if (failed) operation.result = { case: "error", value: statusFromJson(error, document) };
  return operation;
}

/** An operation's own error: its code is a google.rpc.Code already. What is not a Status counts as UNKNOWN. */
function statusFromJson(json: JsonValue, document: JsonDocument): Status {
  if (!isObject(json)) return create(StatusSchema, { code: 2, details: [anyFromJson(json, document)] });
  const status = messageFromJson(StatusSchema, json, document, 0);
  if (status.code === 0 && json["code"] !== undefined && Number(json["code"]) !== 0) status.code = 2;
  return status;
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
  message: MessageShape<Desc>,
): Encoded<MessageShape<Desc>> {
  let binary: Uint8Array | undefined;
  let json: Uint8Array | undefined;
  return {
    encoded: true,
    schema,
    toBinary: () => {
      binary ??= toBinary(schema, message);
      return binary;
    },
    toJson: () => {
      json ??= new TextEncoder().encode(toJsonString(schema, message, { registry }));
      return json;
    },
    toMessage: () => message,
  };
}

function isObject(json: JsonValue | undefined): json is JsonObject {
  return typeof json === "object" && json !== null && !Array.isArray(json);
}
