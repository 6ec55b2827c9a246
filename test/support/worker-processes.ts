import { readFile } from "node:fs/promises";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { Operations } from "../../gen/google/longrunning/operations_pb.ts";

/** The dataset of the embedded emulator. */
export const DATASET = "projects/demo/locations/us-central1/datasets/demo";

/** Process ids of the workers of a process, from /proc. */
export async function workersOf(pid: number | undefined): Promise<number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8");
  return text.trim().split(" ").filter(Boolean).map(Number);
}

/** One call on a connection of its own; the names that it tells. */
export async function listOnce(baseUrl: string, timeoutMs = 10_000): Promise<string[]> {
  const transport = createGrpcTransport({ baseUrl: `http://${baseUrl}` });
  const client = createClient(Operations, transport);
  const { operations } = await client.listOperations({ name: DATASET }, { timeoutMs });
  return operations.map(({ name }) => name).sort();
}
