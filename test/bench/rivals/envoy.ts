import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { clone, create, type DescFile, setExtension, toBinary } from "@bufbuild/protobuf";
import {
  type FileDescriptorProto,
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
  MethodOptionsSchema,
} from "@bufbuild/protobuf/wkt";
import { http } from "../../../gen/google/api/annotations_pb.ts";
import { type HttpRule, HttpRuleSchema } from "../../../gen/google/api/http_pb.ts";
import { file_google_cloud_healthcare_v1beta1_operation_metadata } from "../../../gen/google/cloud/healthcare/v1beta1/operation_metadata_pb.ts";
import { file_google_longrunning_operations } from "../../../gen/google/longrunning/operations_pb.ts";
import type { KeyPair } from "./rivals.ts";

const NAME = "{name=projects/*/locations/*/datasets/*/operations/*}";

/** The rules have to stand in the descriptors: the filter takes no others. */
const RULES: Readonly<Record<string, HttpRule["pattern"]>> = {
  GetOperation: { case: "get", value: `/v1beta1/${NAME}` },
  ListOperations: { case: "get", value: "/v1beta1/{name=projects/*/locations/*/datasets/*}/operations" },
  CancelOperation: { case: "post", value: `/v1beta1/${NAME}:cancel` },
};

/**
 * Writes configuration and descriptors for Envoy's gRPC-JSON reverse transcoder, behind TLS if there is a key pair;
 * returns the configuration's path.
 */
export function writeEnvoyConfig(
  directory: string,
  port: number,
  upstreamPort: number,
  tls: KeyPair | undefined,
): string {
  const descriptors = join(directory, "operations.binpb");
  writeFileSync(descriptors, descriptorSet());
  const file = join(directory, "envoy.json");
  writeFileSync(file, JSON.stringify(configuration(port, upstreamPort, descriptors, tls)));
  return file;
}

function descriptorSet(): Uint8Array {
  const files = new Map<string, FileDescriptorProto>();
  const add = (file: DescFile): void => {
    if (files.has(file.proto.name)) return;
    for (const dependency of file.dependencies) add(dependency);
    files.set(file.proto.name, withRules(clone(FileDescriptorProtoSchema, file.proto)));
  };
  add(file_google_longrunning_operations);
  add(file_google_cloud_healthcare_v1beta1_operation_metadata);
  return toBinary(FileDescriptorSetSchema, create(FileDescriptorSetSchema, { file: [...files.values()] }));
}

function withRules(file: FileDescriptorProto): FileDescriptorProto {
  if (file.name !== file_google_longrunning_operations.proto.name) return file;
  for (const method of file.service.flatMap((service) => service.method)) {
    const pattern = RULES[method.name];
    if (!pattern) continue;
    method.options = create(MethodOptionsSchema);
    setExtension(method.options, http, create(HttpRuleSchema, { pattern }));
  }
  return file;
}

function configuration(
  port: number,
  upstreamPort: number,
  descriptors: string,
  tls: KeyPair | undefined,
): unknown {
  const extension = "type.googleapis.com/envoy.extensions";
  const address = (value: number) => ({ socket_address: { address: "127.0.0.1", port_value: value } });
  return {
    static_resources: {
      listeners: [
        {
          name: "rpc",
          address: address(port),
          filter_chains: [
            {
              ...(tls && { transport_socket: transportSocket(tls) }),
              filters: [
                {
                  name: "envoy.filters.network.http_connection_manager",
                  typed_config: {
                    "@type": `${extension}.filters.network.http_connection_manager.v3.HttpConnectionManager`,
                    stat_prefix: "rpc",
                    codec_type: "AUTO",
                    route_config: {
                      virtual_hosts: [
                        {
                          name: "all",
                          domains: ["*"],
                          routes: [
                            {
                              match: { prefix: "/" },
                              // As our calls have a deadline, so have these.
                              route: {
                                cluster: "api",
                                max_stream_duration: { grpc_timeout_header_max: "0s" },
                              },
                            },
                          ],
                        },
                      ],
                    },
                    http_filters: [
                      {
                        name: "envoy.filters.http.grpc_web",
                        typed_config: { "@type": `${extension}.filters.http.grpc_web.v3.GrpcWeb` },
                      },
                      {
                        name: "envoy.filters.http.grpc_json_reverse_transcoder",
                        typed_config: {
                          "@type": `${extension}.filters.http.grpc_json_reverse_transcoder.v3.GrpcJsonReverseTranscoder`,
                          descriptor_path: descriptors,
                        },
                      },
                      {
                        name: "envoy.filters.http.router",
                        typed_config: { "@type": `${extension}.filters.http.router.v3.Router` },
                      },
                    ],
                  },
                },
              ],
            },
          ],
        },
      ],
      clusters: [
        {
          name: "api",
          type: "STATIC",
          load_assignment: {
            cluster_name: "api",
            endpoints: [{ lb_endpoints: [{ endpoint: { address: address(upstreamPort) } }] }],
          },
        },
      ],
    },
  };
}

function transportSocket({ certificate, key }: KeyPair): unknown {
  const type = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext";
  return {
    name: "envoy.transport_sockets.tls",
    typed_config: {
      "@type": type,
      common_tls_context: {
        alpn_protocols: ["h2", "http/1.1"],
        tls_certificates: [{ certificate_chain: { filename: certificate }, private_key: { filename: key } }],
      },
    },
  };
}
