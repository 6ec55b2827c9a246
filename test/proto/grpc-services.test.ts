import { expect, test } from "vitest";
import { bufImage } from "../support/buf-image.ts";
import { type DescriptorFacts, descriptorFacts } from "../support/descriptor-facts.ts";

// Health checking and reflection as every gRPC client has them compiled in
// (https://github.com/grpc/grpc-proto, grpc/health/v1 and grpc/reflection/v1). No development dependency carries
// these files, so what is on the wire is written down here a second time.

const HEALTH = `
message HealthCheckRequest
message HealthCheckRequest 1 service STRING
message HealthCheckResponse
message HealthCheckResponse 1 status HealthCheckResponse.ServingStatus
enum HealthCheckResponse.ServingStatus
enum HealthCheckResponse.ServingStatus 0 UNKNOWN
enum HealthCheckResponse.ServingStatus 1 SERVING
enum HealthCheckResponse.ServingStatus 2 NOT_SERVING
enum HealthCheckResponse.ServingStatus 3 SERVICE_UNKNOWN
message HealthListRequest
message HealthListResponse
message HealthListResponse 1 statuses repeated HealthListResponse.StatusesEntry
message HealthListResponse.StatusesEntry
message HealthListResponse.StatusesEntry 1 key STRING
message HealthListResponse.StatusesEntry 2 value HealthCheckResponse
service Health
service Health Check HealthCheckRequest -> HealthCheckResponse
service Health List HealthListRequest -> HealthListResponse
service Health Watch HealthCheckRequest -> stream HealthCheckResponse
`;

const REFLECTION = `
message ServerReflectionRequest
message ServerReflectionRequest 1 host STRING
message ServerReflectionRequest 3 file_by_filename STRING in message_request
message ServerReflectionRequest 4 file_containing_symbol STRING in message_request
message ServerReflectionRequest 5 file_containing_extension ExtensionRequest in message_request
message ServerReflectionRequest 6 all_extension_numbers_of_type STRING in message_request
message ServerReflectionRequest 7 list_services STRING in message_request
message ExtensionRequest
message ExtensionRequest 1 containing_type STRING
message ExtensionRequest 2 extension_number INT32
message ServerReflectionResponse
message ServerReflectionResponse 1 valid_host STRING
message ServerReflectionResponse 2 original_request ServerReflectionRequest
message ServerReflectionResponse 4 file_descriptor_response FileDescriptorResponse in message_response
message ServerReflectionResponse 5 all_extension_numbers_response ExtensionNumberResponse in message_response
message ServerReflectionResponse 6 list_services_response ListServiceResponse in message_response
message ServerReflectionResponse 7 error_response ErrorResponse in message_response
message FileDescriptorResponse
message FileDescriptorResponse 1 file_descriptor_proto repeated BYTES
message ExtensionNumberResponse
message ExtensionNumberResponse 1 base_type_name STRING
message ExtensionNumberResponse 2 extension_number repeated INT32
message ListServiceResponse
message ListServiceResponse 1 service repeated ServiceResponse
message ServiceResponse
message ServiceResponse 1 name STRING
message ErrorResponse
message ErrorResponse 1 error_code INT32
message ErrorResponse 2 error_message STRING
service ServerReflection
service ServerReflection ServerReflectionInfo stream ServerReflectionRequest -> stream ServerReflectionResponse
`;

test.each([
  ["grpc.health.v1", "grpc/health/v1/health.proto", HEALTH],
  ["grpc.reflection.v1", "grpc/reflection/v1/reflection.proto", REFLECTION],
  ["grpc.reflection.v1alpha", "grpc/reflection/v1alpha/reflection.proto", REFLECTION],
])("%s is on the wire what gRPC clients expect", (pkg, file, expected) => {
  const facts = descriptorFacts(bufImage("proto", [file]), [file]);
  expect(wireLines(facts, pkg)).toEqual(expected.trim().split("\n").sort());
});

/** The facts that the wire shows, one line each, names without their package. */
function wireLines(facts: DescriptorFacts, pkg: string): string[] {
  const lines: string[] = [];
  for (const [subject, aspects] of facts) {
    const kind = subject.slice(0, subject.lastIndexOf(" "));
    const name = subject.slice(subject.lastIndexOf(" ") + 1).replace(`${pkg}.`, "");
    const [owner, own] = [name.slice(0, name.lastIndexOf(".")), name.slice(name.lastIndexOf(".") + 1)];
    const text = (aspect: string) =>
      (aspects.get(aspect) ?? '""').replace(/^"|"$/g, "").replace(`.${pkg}.`, "");
    const flag = (aspect: string, word: string) => (aspects.get(aspect) === undefined ? "" : `${word} `);
    if (kind === "message" || kind === "enum" || kind === "service") lines.push(`${kind} ${name}`);
    if (kind === "enum value") lines.push(`enum ${owner} ${text("number")} ${own}`);
    if (kind === "field") {
      const repeated = text("label") === "LABEL_REPEATED" ? "repeated " : "";
      const type = text("typeName") || text("type").replace("TYPE_", "");
      const oneof = text("oneofIndex") && ` in ${text("oneofIndex")}`;
      lines.push(`message ${owner} ${text("number")} ${own} ${repeated}${type}${oneof}`);
    }
    if (kind === "method") {
      const [input, output] = [text("inputType"), text("outputType")];
      const [from, to] = [flag("clientStreaming", "stream"), flag("serverStreaming", "stream")];
      lines.push(`service ${owner} ${own} ${from}${input} -> ${to}${output}`);
    }
  }
  return lines.sort();
}
