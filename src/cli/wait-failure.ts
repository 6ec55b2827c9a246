import { Code, ConnectError } from "@connectrpc/connect";
import { CommandError, EXIT } from "./exit-codes.ts";
import type { ClientSettings } from "./gateway-client.ts";
import { explainRpcFailure } from "./rpc-failure.ts";

/** As {@link explainRpcFailure}, for commands whose exit code tells that there is no such operation. */
export function explainWaitFailure(error: unknown, settings: ClientSettings): CommandError {
  const failure = explainRpcFailure(error, settings);
  if (ConnectError.from(error).code !== Code.NotFound) return failure;
  return new CommandError(failure.message, EXIT.NOT_FOUND, failure.prefix);
}
