/**
 * The server under test of the conformance runner, one process for each of its configurations: reads a
 * ServerCompatRequest from standard input, serves the conformance service on the gateway's own listener and RPC path,
 * and writes where to standard output. `--through connect-es` sends every call through connect-es' handlers instead
 * of the lean path.
 */
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { create, createRegistry, fromBinary, toBinary } from "@bufbuild/protobuf";
import { ConnectError } from "@connectrpc/connect";
import {
  ServerCompatRequestSchema,
  ServerCompatResponseSchema,
} from "../../.cache/conformance/gen/connectrpc/conformance/v1/server_compat_pb.ts";
import {
  ConformanceService,
  file_connectrpc_conformance_v1_service as serviceFile,
} from "../../.cache/conformance/gen/connectrpc/conformance/v1/service_pb.ts";
import { ErrorInfoSchema, RequestInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import { startListener } from "../../src/listen/listener.ts";
import { defineService } from "../../src/rpc/handler.ts";
import { createRouter } from "../../src/rpc/router.ts";
import { conformanceHandlers } from "./handlers.ts";
import { conformanceRoutes } from "./routes.ts";
import { tapped } from "./tap.ts";

const { values } = parseArgs({ options: { through: { type: "string", default: "lean" } } });
if (values.through !== "lean" && values.through !== "connect-es")
  throw new Error(`--through: "${values.through}" is neither lean nor connect-es`);

// Both messages are preceded by their length, 32 bits big-endian.
const request = fromBinary(ServerCompatRequestSchema, readFileSync(0).subarray(4));

const app = createRouter([defineService(ConformanceService, conformanceHandlers)], {
  registry: createRegistry(serviceFile),
  routes: conformanceRoutes,
  allThroughConnectEs: values.through === "connect-es",
  stages: { amendError: withoutOwnDetails },
  ...(request.messageReceiveLimit > 0 && {
    limits: { requestMessageBytes: request.messageReceiveLimit },
  }),
});
const { useTls, serverCreds, clientTlsCert } = request;
const tls = useTls &&
  serverCreds && {
    required: true,
    cert: Buffer.from(serverCreds.cert),
    key: Buffer.from(serverCreds.key),
    ...(clientTlsCert.length > 0 && {
      ca: Buffer.from(clientTlsCert),
      requestCert: true,
      rejectUnauthorized: true,
    }),
  };
const listener = await startListener({ listen: "127.0.0.1:0", ...(tls && { tls }) }, tapped(app));
process.once("SIGTERM", () => process.exit());

const [host, port] = listener.address.split(":");
const response = toBinary(
  ServerCompatResponseSchema,
  create(ServerCompatResponseSchema, {
    host: host ?? "",
    port: Number(port),
    ...(tls && { pemCert: tls.cert }),
  }),
);
const length = Buffer.alloc(4);
length.writeUInt32BE(response.length);
process.stdout.write(Buffer.concat([length, response]));

const OWN_DETAILS = new Set<string>([ErrorInfoSchema.typeName, RequestInfoSchema.typeName]);

/** The runner wants errors without details that it did not ask for, and the gateway's own have an ErrorInfo and a RequestInfo each. */
function withoutOwnDetails(error: ConnectError): ConnectError {
  const bare = new ConnectError(error.rawMessage, error.code, error.metadata);
  bare.details = error.details.filter(
    (detail) => !("desc" in detail && OWN_DETAILS.has(detail.desc.typeName)),
  );
  return bare;
}
