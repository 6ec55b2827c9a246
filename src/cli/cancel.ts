import { EXIT } from "./exit-codes.ts";
import { openClient, readClientSettings } from "./gateway-client.ts";
import type { CommandIo } from "./io.ts";
import { explainRpcFailure } from "./rpc-failure.ts";

/**
 * `cancel`: asks for the cancellation of an operation. The upstream has accepted it when this succeeds; whether the
 * operation ends cancelled is another matter, and the output says so.
 */
export async function cancel(
  name: string,
  options: Readonly<Record<string, unknown>>,
  io: CommandIo,
): Promise<number> {
  const settings = readClientSettings(options, io);
  const client = openClient(settings);
  await client.cancelOperation({ name }, { timeoutMs: settings.timeoutMs }).catch((error: unknown) => {
    throw explainRpcFailure(error, settings);
  });
  if (settings.output === "json") io.out(`${JSON.stringify({ name, cancelRequested: true })}\n`);
  else io.out(`Cancellation requested. What comes of it: ${settings.lineFor("get", name)}\n`);
  return EXIT.OK;
}
