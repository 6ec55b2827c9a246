import { inspect } from "node:util";
import type { ConnectError } from "@connectrpc/connect";

/** Everything of an error that its caller may see, as one text to search in. */
export function errorText(error: ConnectError): string {
  const details = error.details.map((detail) => ("value" in detail ? detail.value : detail));
  return inspect([error.rawMessage, details, [...error.metadata]], { depth: null, maxStringLength: null });
}
