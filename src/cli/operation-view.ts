import { type JsonObject, type JsonValue, toJson } from "@bufbuild/protobuf";
import { type Operation, OperationSchema } from "../../gen/google/longrunning/operations_pb.ts";
import { Code } from "../../gen/google/rpc/code_pb.ts";
import { registry } from "../lib/any-registry.ts";
import { codeName } from "../lib/code-names.ts";
import { isObject } from "../lib/json-document.ts";

/** The states that an operator sees; the same words as `lrogateway.v1.State`. */
export type OperationState =
  | "RUNNING"
  | "CANCELLING"
  | "SUCCEEDED"
  | "FAILED"
  | "CANCELLED"
  | "DONE_WITHOUT_RESULT";

/** What a table shows of an operation; empty texts for what it does not say. */
export interface OperationView {
  readonly name: string;
  readonly state: OperationState;
  /** The method that began it, without its package: `FhirStoreService.ExportResources`. */
  readonly method: string;
  /** `120 of 500, 3 failed`. */
  readonly progress: string;
  /** RFC 3339 times. */
  readonly created: string;
  readonly ended: string;
  /** Code and message of a failed operation. */
  readonly error: string;
  readonly logs: string;
}

/** An operation as ProtoJSON, the types of its Any fields resolved. */
export function operationJson(operation: Operation): JsonObject {
  // An Operation is a JSON object; toJson is typed for every message.
  return toJson(OperationSchema, operation, { registry }) as JsonObject;
}

/** Reads what a table shows. Works for every API whose metadata uses Google's usual field names. */
export function viewOperation(operation: Operation): OperationView {
  const metadata = unwrap(operationJson(operation)["metadata"]);
  return {
    name: operation.name,
    state: stateOf(operation, metadata),
    method: textIn(metadata, "apiMethodName").split(".").slice(-2).join("."),
    progress: progressOf(objectIn(metadata, "counter")),
    created: textIn(metadata, "createTime"),
    ended: textIn(metadata, "endTime"),
    error: errorOf(operation),
    logs: textIn(metadata, "logsUrl"),
  };
}

function stateOf({ done, result }: Operation, metadata: JsonObject): OperationState {
  if (!done) return metadata["cancelRequested"] === true ? "CANCELLING" : "RUNNING";
  if (result.case === "response") return "SUCCEEDED";
  if (result.case === undefined) return "DONE_WITHOUT_RESULT";
  return result.value.code === Code.CANCELLED ? "CANCELLED" : "FAILED";
}

function progressOf(counter: JsonObject): string {
  const count = (name: string): number => Number(counter[name] ?? 0);
  const failed = count("failure");
  const done = count("success") + failed;
  const total = done + count("pending");
  if (total === 0) return "";
  return `${done} of ${total}${failed > 0 ? `, ${failed} failed` : ""}`;
}

function errorOf({ result }: Operation): string {
  if (result.case !== "error") return "";
  return `${codeName(result.value.code)}: ${result.value.message}`;
}

/** The fields of an Any: those of a known type, or those inside the Struct that stands for an unknown one. */
function unwrap(any: JsonValue | undefined): JsonObject {
  if (!isObject(any)) return {};
  const inner = any["value"];
  return any["@type"] === "type.googleapis.com/google.protobuf.Struct" && isObject(inner) ? inner : any;
}

function textIn(object: JsonObject, name: string): string {
  const value = object[name];
  return typeof value === "string" ? value : "";
}

function objectIn(object: JsonObject, name: string): JsonObject {
  const value = object[name];
  return isObject(value) ? value : {};
}
