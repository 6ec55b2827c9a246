import { EXIT } from "./exit-codes.ts";
import { openClient, readClientSettings } from "./gateway-client.ts";
import type { CommandIo } from "./io.ts";
import { printOperation } from "./print-operation.ts";
import { explainRpcFailure } from "./rpc-failure.ts";

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
  printOperation(operation, settings.output, io);
  return EXIT.OK;
}
