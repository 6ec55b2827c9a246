import type { Operation } from "../../gen/google/longrunning/operations_pb.ts";
import type { CommandIo } from "./io.ts";
import { operationJson, viewOperation } from "./operation-view.ts";
import { formatPairs } from "./table.ts";

/** Prints one operation in full: as ProtoJSON, or as a table of what it says. */
export function printOperation(operation: Operation, output: "table" | "json", io: CommandIo): void {
  if (output === "json") {
    io.out(`${JSON.stringify(operationJson(operation), undefined, 2)}\n`);
    return;
  }
  const pairs = Object.entries(viewOperation(operation)).filter(([, value]) => value !== "");
  io.out(`${formatPairs(pairs.map(([label, value]): [string, string] => [label.toUpperCase(), value]))}\n`);
}
