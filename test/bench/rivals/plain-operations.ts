import { type DescMessage, fromJson, type MessageShape } from "@bufbuild/protobuf";
import { EmptySchema } from "@bufbuild/protobuf/wkt";
import { Pool } from "undici";
import {
  type ListOperationsRequest,
  ListOperationsResponseSchema,
  OperationSchema,
} from "../../../gen/google/longrunning/operations_pb.ts";
import { registry } from "../../../src/lib/any-registry.ts";

/** The three calls as one writes them with undici and protobuf-es: what stands behind the Node rivals. */
export function plainOperations(upstreamPort: string) {
  const pool = new Pool(`http://127.0.0.1:${upstreamPort}`, { connections: 64 });
  const call = async <Desc extends DescMessage>(
    desc: Desc,
    method: "GET" | "POST",
    path: string,
  ): Promise<MessageShape<Desc>> => {
    const { statusCode, body } = await pool.request({ method, path: `/v1beta1/${path}` });
    // undici types it as unknown since what comes may be anything.
    const json = (await body.json()) as Parameters<typeof fromJson>[1];
    if (statusCode !== 200) throw new Error(`the upstream answered ${statusCode}`);
    return fromJson(desc, json, { registry, ignoreUnknownFields: true });
  };
  return {
    getOperation: ({ name }: { name: string }) => call(OperationSchema, "GET", name),
    listOperations: ({ name, pageSize }: ListOperationsRequest) =>
      call(ListOperationsResponseSchema, "GET", `${name}/operations?pageSize=${pageSize}`),
    cancelOperation: ({ name }: { name: string }) => call(EmptySchema, "POST", `${name}:cancel`),
  };
}
