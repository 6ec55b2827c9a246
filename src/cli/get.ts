import { EXIT } from "./exit-codes.ts";
import { openClient, readClientSettings } from "./gateway-client.ts";
import type { CommandIo } from "./io.ts";
import { operationJson, viewOperation } from "./operation-view.ts";
import { explainRpcFailure } from "./rpc-failure.ts";
import { formatPairs } from "./table.ts";

/** `get`: shows one operation. That the operation itself has failed is no failure of the command. */
export async function get(
  name: string,
  options: Readonly<Record<string, unknown>>,
  io: CommandIo,
): Promise<number> {
  const settings = readClientSettings(options, io);
  const client = openClient(settings);
  const operation = await client
    .getOperation({ name }, { timeoutMs: settings.timeoutMs })
    .catch((error: unknown) => {
      throw explainRpcFailure(error, settings);
    });
  if (settings.output === "json") io.out(`${JSON.stringify(operationJson(operation), undefined, 2)}\n`);
  else {
    const pairs = Object.entries(viewOperation(operation)).filter(([, value]) => value !== "");
    io.out(`${formatPairs(pairs.map(([label, value]): [string, string] => [label.toUpperCase(), value]))}\n`);
  }
  return EXIT.OK;
}
