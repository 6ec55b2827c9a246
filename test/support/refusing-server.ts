import { createServer as createHttp1Server, type Server } from "node:http";
import { createServer as createHttp2Server, type Http2Server, type ServerHttp2Session } from "node:http2";
import { create, toBinary } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { StatusSchema } from "../../gen/google/rpc/status_pb.ts";

/** Something before the gateway that refuses every call with RESOURCE_EXHAUSTED and nothing else: a quota, a gate. */
export interface RefusingServer {
  /** `host:port` to call. */
  readonly address: string;
  /** Calls refused. */
  readonly calls: number;
  close(): Promise<void>;
}

const STATUS = create(StatusSchema, { code: Code.ResourceExhausted, message: "refused" });

/** The end of a Connect stream: flags, length, JSON. */
function connectEnd(): Buffer {
  const json = Buffer.from('{"error":{"code":"resource_exhausted","message":"refused"}}');
  const head = Buffer.alloc(5);
  head[0] = 2;
  head.writeUInt32BE(json.length, 1);
  return Buffer.concat([head, json]);
}

/** Starts one, for gRPC (HTTP/2) or for Connect streams (HTTP/1.1). */
export async function startRefusingServer(protocol: "grpc" | "connect"): Promise<RefusingServer> {
  let calls = 0;
  const sessions = new Set<ServerHttp2Session>();
  let server: Server | Http2Server;
  if (protocol === "connect")
    server = createHttp1Server((_, response) => {
      calls++;
      response.writeHead(200, { "content-type": "application/connect+proto" }).end(connectEnd());
    });
  else
    server = createHttp2Server()
      // Callers that are done close as they like.
      .on("session", (session) => sessions.add(session.on("error", () => {})))
      .on("stream", (stream) => {
        calls++;
        stream.on("error", () => {});
        stream.respond(
          {
            ":status": 200,
            "content-type": "application/grpc+proto",
            "grpc-status": String(STATUS.code),
            "grpc-message": STATUS.message,
            "grpc-status-details-bin": Buffer.from(toBinary(StatusSchema, STATUS)).toString("base64"),
          },
          { endStream: true },
        );
      });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("a TCP server has a port");
  return {
    address: `127.0.0.1:${address.port}`,
    get calls() {
      return calls;
    },
    async close() {
      for (const session of sessions) session.destroy();
      if ("closeAllConnections" in server) server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
