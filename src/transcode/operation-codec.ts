import { type DescMessage, fromBinary, type MessageShape } from "@bufbuild/protobuf";
import {
  type ListOperationsResponse,
  ListOperationsResponseSchema,
  type Operation,
  OperationSchema,
} from "../../gen/google/longrunning/operations_pb.ts";
import type { Encoded } from "../lib/encoded.ts";
import { JsonTranscoder, type Transcoded } from "./json-transcoder.ts";
import { LIST_MAX_BYTES, ListTooLarge } from "./list-limit.ts";
import { type MessagePlan, planOf } from "./message-plan.ts";
import { decodePlainList, decodePlainOperation } from "./plain-operation.ts";

const OPERATION = planned(OperationSchema);
const LIST = planned(ListOperationsResponseSchema);

/** An object must have one of these to be an operation at all. */
const NAME_OR_DONE = bitOf(OPERATION, "name") | bitOf(OPERATION, "done");

/** One for the process: it works synchronously and keeps nothing of an answer. */
const transcoder = new JsonTranscoder();

/**
 * Decodes the body of a 200 answer that should be an Operation.
 *
 * @throws UpstreamFailure of kind `malformed` when the body cannot be one: it is not a JSON object, or has neither a
 * name nor `done`. Never because of a type or a field.
 */
export function decodeOperation(body: Uint8Array): Encoded<Operation> {
  const transcoded = transcoder.transcode(OPERATION, body);
  if (!transcoded || (transcoded.set & NAME_OR_DONE) === 0) return decodePlainOperation(body);
  return new TranscodedAnswer(OperationSchema, body, transcoded, decodePlainOperation);
}

/**
 * Decodes the body of a 200 answer that should be a page of operations.
 *
 * @throws UpstreamFailure of kind `malformed` when the body is not a JSON object, or its `operations` are no array.
 * @throws ListTooLarge when the page is larger than clients accept.
 */
export function decodeListOperations(body: Uint8Array): Encoded<ListOperationsResponse> {
  const transcoded = transcoder.transcode(LIST, body);
  const page = transcoded
    ? new TranscodedAnswer(ListOperationsResponseSchema, body, transcoded, decodePlainList)
    : decodePlainList(body);
  // A page whose JSON is small cannot be large in protobuf, and need not be written to know it.
  if (!transcoded && body.length <= LIST_MAX_BYTES / GROWTH_MAX) return page;
  const { length } = page.toBinary();
  if (length > LIST_MAX_BYTES) throw new ListTooLarge(length, page.toMessage().operations.length);
  return page;
}

/** No JSON grows more than this on its way to protobuf: a wrapped scalar brings a type URL of 42 bytes along. */
const GROWTH_MAX = 64;

const WRAPPER_HEADS = [
  Buffer.from('{"@type":"type.googleapis.com/google.protobuf.Value","value":'),
  Buffer.from('{"@type":"type.googleapis.com/google.protobuf.Struct","value":'),
];
const WRAPPER_TAIL = Buffer.from("}");

/** An answer whose protobuf bytes came straight from its JSON, and whose JSON is the upstream's own where it may be. */
class TranscodedAnswer<Desc extends DescMessage> implements Encoded<MessageShape<Desc>> {
  readonly encoded = true;
  readonly schema: Desc;
  readonly #body: Uint8Array;
  readonly #transcoded: Transcoded;
  readonly #plain: (body: Uint8Array) => Encoded<MessageShape<Desc>>;
  #json: Uint8Array | undefined;
  #message: MessageShape<Desc> | undefined;

  constructor(
    schema: Desc,
    body: Uint8Array,
    transcoded: Transcoded,
    plain: (body: Uint8Array) => Encoded<MessageShape<Desc>>,
  ) {
    this.schema = schema;
    this.#body = body;
    this.#transcoded = transcoded;
    this.#plain = plain;
  }

  toBinary(): Uint8Array {
    return this.#transcoded.binary;
  }

  toJson(): Uint8Array {
    this.#json ??= this.#transcoded.canonical
      ? wrapped(this.#body, this.#transcoded.wraps)
      : this.#plain(this.#body).toJson();
    return this.#json;
  }

  toMessage(): MessageShape<Desc> {
    this.#message ??= fromBinary(this.schema, this.#transcoded.binary);
    return this.#message;
  }
}

/** The JSON of a body with the wrappers of its Anys put around them. */
function wrapped(body: Uint8Array, wraps: readonly number[]): Uint8Array {
  if (wraps.length === 0) return body;
  const parts: Uint8Array[] = [];
  let at = 0;
  for (let i = 0; i < wraps.length; i += 3) {
    const [start = 0, end = 0, wrapper = 0] = wraps.slice(i, i + 3);
    const head = WRAPPER_HEADS[wrapper];
    if (head) parts.push(body.subarray(at, start), head, body.subarray(start, end), WRAPPER_TAIL);
    at = end;
  }
  parts.push(body.subarray(at));
  return Buffer.concat(parts);
}

function planned(desc: DescMessage): MessagePlan {
  const plan = planOf(desc);
  if (!plan) throw new Error(`${desc.typeName} has no plan`);
  return plan;
}

function bitOf(plan: MessagePlan, name: string): number {
  return plan.byName.get(name)?.bit ?? 0;
}
