import type { ConnectError } from "@connectrpc/connect";
import { gatewayError } from "../errors/reasons.ts";
import { echo } from "../lib/echo.ts";

/**
 * INVALID_ARGUMENT for a resource name, with a violation on its field. Nothing is sent.
 *
 * @param field path of proto field names.
 * @param problem the end of a sentence that begins with the field: `has an empty segment (segment 3)`.
 */
export function invalidName(field: string, value: string, problem: string): ConnectError {
  const shown = value === "" ? "" : `${echo(value)} `;
  return gatewayError("NAME_INVALID", `${field} ${shown}${problem}`, {
    fieldViolations: [{ field, description: `${field} ${problem}` }],
  });
}

/** INVALID_ARGUMENT for any other field; `value` is shown when given. */
export function invalidField(
  field: string,
  value: string | undefined,
  problem: string,
  cause?: unknown,
): ConnectError {
  const shown = value === undefined ? "" : `${echo(value)} `;
  return gatewayError("FIELD_INVALID", `${field} ${shown}${problem}`, {
    fieldViolations: [{ field, description: `${field} ${problem}` }],
    cause,
  });
}
