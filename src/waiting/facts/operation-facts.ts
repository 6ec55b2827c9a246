import { fromBinary, type JsonValue, toJson } from "@bufbuild/protobuf";
import { type Any, StructSchema, type Timestamp, timestampMs } from "@bufbuild/protobuf/wkt";
import {
  type OperationMetadata,
  OperationMetadataSchema,
} from "../../../gen/google/cloud/healthcare/v1/operation_metadata_pb.ts";
import { OperationMetadataSchema as BetaOperationMetadataSchema } from "../../../gen/google/cloud/healthcare/v1beta1/operation_metadata_pb.ts";
import type { Operation } from "../../../gen/google/longrunning/operations_pb.ts";
import { Code } from "../../../gen/google/rpc/code_pb.ts";
import { State } from "../../../gen/lrogateway/v1/operation_watcher_pb.ts";
import { isObject } from "../../lib/json-document.ts";

/** Units of work, as the operation's metadata counts them. */
export interface Counters {
  readonly pending: bigint;
  readonly success: bigint;
  readonly failure: bigint;
  readonly secondarySuccess: bigint;
  readonly secondaryFailure: bigint;
}

/** What the engine wants to know of an operation. Moments are milliseconds since the Unix epoch, upstream's clock. */
export interface OperationFacts {
  readonly done: boolean;
  readonly state: State;
  readonly createTime: number | undefined;
  readonly endTime: number | undefined;
  readonly cancelRequested: boolean;
  readonly counters: Counters | undefined;
}

type MetadataFacts = Pick<OperationFacts, "createTime" | "endTime" | "cancelRequested" | "counters">;

const NOTHING: MetadataFacts = {
  createTime: undefined,
  endTime: undefined,
  cancelRequested: false,
  counters: undefined,
};

/** Reads the facts. Metadata of another kind, or broken, hides nothing else: the operation then just says less. */
export function factsOf(operation: Operation): OperationFacts {
  const metadata = metadataFacts(operation.metadata);
  return { ...metadata, done: operation.done, state: stateOf(operation, metadata.cancelRequested) };
}

/** What an operation is doing, or how it ended. */
export function stateOf(operation: Operation, cancelRequested: boolean): State {
  if (!operation.done) return cancelRequested ? State.CANCELLING : State.RUNNING;
  const { result } = operation;
  if (result.case === "response") return State.SUCCEEDED;
  if (result.case !== "error") return State.DONE_WITHOUT_RESULT;
  return result.value.code === Code.CANCELLED ? State.CANCELLED : State.FAILED;
}

function metadataFacts(any: Any | undefined): MetadataFacts {
  const typeName = any?.typeUrl.slice(any.typeUrl.lastIndexOf("/") + 1);
  if (!any || !typeName) return NOTHING;
  try {
    switch (typeName) {
      case OperationMetadataSchema.typeName:
        return typedFacts(fromBinary(OperationMetadataSchema, any.value));
      case BetaOperationMetadataSchema.typeName:
        return typedFacts(fromBinary(BetaOperationMetadataSchema, any.value));
      case StructSchema.typeName:
        return structFacts(toJson(StructSchema, fromBinary(StructSchema, any.value)));
      default:
        return NOTHING;
    }
  } catch {
    return NOTHING;
  }
}

function typedFacts(
  metadata: Pick<OperationMetadata, "createTime" | "endTime" | "cancelRequested"> & {
    readonly progress: { readonly case: string | undefined; readonly value?: Counters | undefined };
  },
): MetadataFacts {
  return {
    createTime: milliseconds(metadata.createTime),
    endTime: milliseconds(metadata.endTime),
    cancelRequested: metadata.cancelRequested,
    counters: metadata.progress.value,
  };
}

function milliseconds(timestamp: Timestamp | undefined): number | undefined {
  return timestamp && timestampMs(timestamp);
}

/**
 * Metadata of other Google APIs, which stands as a Struct here. Nearly all of them name these fields alike;
 * `requestedCancellation` is what the generated ones call the third.
 */
function structFacts(json: JsonValue): MetadataFacts {
  if (!isObject(json)) return NOTHING;
  return {
    createTime: moment(json["createTime"] ?? json["startTime"]),
    endTime: moment(json["endTime"]),
    cancelRequested: (json["cancelRequested"] ?? json["requestedCancellation"]) === true,
    counters: counters(json["counter"]),
  };
}

function moment(json: JsonValue | undefined): number | undefined {
  const ms = typeof json === "string" ? Date.parse(json) : Number.NaN;
  return Number.isNaN(ms) ? undefined : ms;
}

function counters(json: JsonValue | undefined): Counters | undefined {
  if (!isObject(json)) return undefined;
  return {
    pending: count(json["pending"]),
    success: count(json["success"]),
    failure: count(json["failure"]),
    secondarySuccess: count(json["secondarySuccess"]),
    secondaryFailure: count(json["secondaryFailure"]),
  };
}

function count(json: JsonValue | undefined): bigint {
  const isCount = (typeof json === "string" && /^[0-9]{1,18}$/.test(json)) || Number.isSafeInteger(json);
  return isCount ? BigInt(json as string | number) : 0n;
}
