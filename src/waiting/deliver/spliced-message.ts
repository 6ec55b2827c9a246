import { type DescMessage, type MessageShape, toBinary, toJsonString } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import type { Operation } from "../../../gen/google/longrunning/operations_pb.ts";
import type { Encoded } from "../../lib/encoded.ts";

/** The parts of a message that has a field `operation`. */
export interface SplicedParts<Desc extends DescMessage> {
  readonly schema: Desc;
  /** The fields with numbers below that of `operation`. */
  readonly head: MessageShape<Desc>;
  /** Goes between them, as it was decoded once for all. */
  readonly operation: Encoded<Operation> | undefined;
  /** The fields with higher numbers. */
  readonly tail: MessageShape<Desc>;
  /** The whole as an object. */
  readonly whole: () => MessageShape<Desc>;
}

/**
 * A message around an operation that has its bytes already: they are put in place as they are, in protobuf and in
 * JSON, so that an operation is encoded once however many messages carry it, and a message once however many callers
 * get it. The bytes are those that the plain way would give, field for field in the same order.
 */
export function spliced<Desc extends DescMessage>(parts: SplicedParts<Desc>): Encoded<MessageShape<Desc>> {
  let binary: Uint8Array | undefined;
  let json: Uint8Array | undefined;
  return {
    encoded: true,
    schema: parts.schema,
    toBinary: () => {
      binary ??= spliceBinary(parts);
      return binary;
    },
    toJson: () => {
      json ??= spliceJson(parts);
      return json;
    },
    toMessage: parts.whole,
  };
}

function spliceBinary<Desc extends DescMessage>({
  schema,
  head,
  operation,
  tail,
}: SplicedParts<Desc>): Uint8Array {
  const number = schema.field["operation"]?.number ?? 0;
  const writer = new BinaryWriter().raw(toBinary(schema, head));
  if (operation) writer.tag(number, WireType.LengthDelimited).bytes(operation.toBinary());
  return writer.raw(toBinary(schema, tail)).finish();
}

function spliceJson<Desc extends DescMessage>({
  schema,
  head,
  operation,
  tail,
}: SplicedParts<Desc>): Uint8Array {
  const members = [inner(toJsonString(schema, head)), inner(toJsonString(schema, tail))];
  if (!operation) return Buffer.from(`{${members.filter((part) => part !== "").join(",")}}`);
  const before = members[0] === "" ? "" : `${members[0]},`;
  const after = members[1] === "" ? "" : `,${members[1]}`;
  return Buffer.concat([Buffer.from(`{${before}"operation":`), operation.toJson(), Buffer.from(`${after}}`)]);
}

/** What stands between the braces of a JSON object. */
function inner(json: string): string {
  return json.slice(1, -1);
}
