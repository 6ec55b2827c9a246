/** The service on stock connect-node: `node connect-node.ts UPSTREAM_PORT`. */
import { createServer as createHttp1 } from "node:http";
import { createServer as createHttp2 } from "node:http2";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { Operations } from "../../../gen/google/longrunning/operations_pb.ts";
import { registry } from "../../../src/lib/any-registry.ts";
import { listen } from "./listen.ts";
import { plainOperations } from "./plain-operations.ts";

const handler = connectNodeAdapter({
  routes: (router) => router.service(Operations, plainOperations(process.argv[2]!)),
  jsonOptions: { registry },
});
listen(createHttp1(handler), createHttp2(handler));
