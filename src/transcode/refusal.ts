import type { ConnectError } from "@connectrpc/connect";
import { gatewayError } from "../errors/reasons.ts";
import { echo } from "../lib/echo.ts";

/**
 * INVALID_ARGUMENT for a field of the request, with a violation on it. Nothing is sent.
 *
 * @param field path of proto field names.
 * @param value shown escaped and shortened; `undefined`: not shown.
 * @param problem the end of a sentence that begins with the field: `has an empty segment (segment 3)`.
 */
export function invalidField(
  field: string,
  value: string | undefined,
  problem: string,
  cause?: unknown,
): ConnectError {
  const shown = value === undefined || value === "" ? "" : `${echo(value)} `;
  return gatewayError(field === "name" ? "NAME_INVALID" : "FIELD_INVALID", `${field} ${shown}${problem}`, {
    fieldViolations: [{ field, description: `${field} ${problem}` }],
    cause,
  });
}
