import {
  createFileRegistry,
  type DescMessage,
  fromJson,
  type JsonObject,
  type JsonValue,
} from "@bufbuild/protobuf";
import {
  FileDescriptorSetSchema,
  file_google_protobuf_any,
  file_google_protobuf_duration,
  file_google_protobuf_struct,
  file_google_protobuf_timestamp,
  file_google_protobuf_wrappers,
} from "@bufbuild/protobuf/wkt";

const WELL_KNOWN = [
  file_google_protobuf_any,
  file_google_protobuf_duration,
  file_google_protobuf_struct,
  file_google_protobuf_timestamp,
  file_google_protobuf_wrappers,
];

/** Messages of a made-up proto3 file, from their DescriptorProtos as JSON. */
export function messagesOf(
  messageType: JsonValue[],
  enumType: JsonValue[] = [],
): (name: string) => DescMessage {
  const file: JsonObject = {
    name: "test.proto",
    package: "test",
    syntax: "proto3",
    dependency: WELL_KNOWN.map(({ proto }) => proto.name),
    messageType,
    enumType,
  };
  const set = fromJson(FileDescriptorSetSchema, { file: [file] });
  set.file.unshift(...WELL_KNOWN.map(({ proto }) => proto));
  const registry = createFileRegistry(set);
  return (name) => {
    const message = registry.getMessage(`test.${name}`);
    if (!message) throw new Error(`no message ${name}`);
    return message;
  };
}

/** A FieldDescriptorProto: `field("page_size", 1, "INT32")`, `field("next", 2, ".test.Node")`. */
export function field(name: string, number: number, type: string, more: JsonObject = {}): JsonObject {
  const reference = type.startsWith(".");
  const kind = type.startsWith(".test.E") ? "TYPE_ENUM" : "TYPE_MESSAGE";
  return {
    name,
    number,
    jsonName: name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()),
    label: "LABEL_OPTIONAL",
    type: reference ? kind : `TYPE_${type}`,
    ...(reference ? { typeName: type } : {}),
    ...more,
  };
}
