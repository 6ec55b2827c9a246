import { errorFromFailure, UpstreamFailure } from "../errors/from-failure.ts";
import type { RestResponse } from "../lib/rest.ts";

const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/**
 * Reads the 2xx answer to a cancel. `{}`, and nothing at all, are what the API promises; anything else was
 * not said by it.
 *
 * @throws ConnectError INTERNAL for a body that is no JSON object.
 */
export function readAccepted({ body }: RestResponse, attempts: number): void {
  if (body.length === 0 || isJsonObject(body)) return;
  const failure = new UpstreamFailure("malformed", "the answer to a cancel is not an empty JSON object");
  throw errorFromFailure(failure, attempts);
}

function isJsonObject(body: Uint8Array): boolean {
  // What the API sends to every cancel, without a parser.
  if (body[0] === OPEN_BRACE && body[1] === CLOSE_BRACE && body.length <= 3) return true;
  try {
    const value: unknown = JSON.parse(Buffer.from(body).toString());
    return typeof value === "object" && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
}
