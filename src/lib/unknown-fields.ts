import type { DescMessage, Message } from "@bufbuild/protobuf";
import { toBinary } from "@bufbuild/protobuf";
import { reflect } from "@bufbuild/protobuf/reflect";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import type { Struct } from "@bufbuild/protobuf/wkt";
import { StructSchema } from "@bufbuild/protobuf/wkt";

/**
 * The field that carries the JSON members a message type has no field for, as a google.protobuf.Struct, so that a
 * field the upstream invents tomorrow is not lost in binary. The Healthcare messages declare it (`unknown_fields`);
 * in Google's public messages it is an unknown field, which protobuf runtimes keep or skip.
 */
export const UNKNOWN_FIELDS_NUMBER = 2000;

/** Puts `fields` into `message` under {@link UNKNOWN_FIELDS_NUMBER}. */
export function setUnknownFields(desc: DescMessage, message: Message, fields: Struct): void {
  const declared = desc.fields.find((field) => field.number === UNKNOWN_FIELDS_NUMBER);
  if (declared) {
    reflect(desc, message).set(declared, reflect(StructSchema, fields));
    return;
  }
  const data = new BinaryWriter().bytes(toBinary(StructSchema, fields)).finish();
  message.$unknown = [{ no: UNKNOWN_FIELDS_NUMBER, wireType: WireType.LengthDelimited, data }];
}
