import { type DescMessage, fromJson, type Message, toBinary } from "@bufbuild/protobuf";
import { reflect } from "@bufbuild/protobuf/reflect";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { StructSchema } from "@bufbuild/protobuf/wkt";
import type { JsonObject } from "./json-document.ts";

/**
 * The field that carries the JSON members a message type has no field for, as a google.protobuf.Struct, so that what
 * the upstream invents tomorrow is not lost in binary. The Healthcare messages declare it; in Google's public messages
 * it is an unknown field, which protobuf runtimes keep or skip.
 */
export const UNKNOWN_FIELDS_NUMBER = 2000;

/** The JSON name of {@link UNKNOWN_FIELDS_NUMBER}. */
export const UNKNOWN_FIELDS_NAME = "unknownFields";

/** Puts `fields` into `message` under {@link UNKNOWN_FIELDS_NUMBER}. */
export function setUnknownFields(desc: DescMessage, message: Message, fields: JsonObject): void {
  const struct = fromJson(StructSchema, fields);
  const declared = desc.fields.find((field) => field.number === UNKNOWN_FIELDS_NUMBER);
  if (declared) {
    reflect(desc, message).set(declared, reflect(StructSchema, struct));
    return;
  }
  const data = new BinaryWriter().bytes(toBinary(StructSchema, struct)).finish();
  message.$unknown = [{ no: UNKNOWN_FIELDS_NUMBER, wireType: WireType.LengthDelimited, data }];
}
