import { badRequest, googleError, notFound } from "./google-error.ts";
import { isJsonObject, typeUrl } from "./json.ts";
import { isDone } from "./operation.ts";
import { jsonReply, type Reply } from "./reply.ts";
import type { Store } from "./store.ts";

/**
 * Answers `operations.cancel`. Success means "accepted": the operation ends later, as cancelled or as planned.
 * A second cancellation of a running operation is accepted like the first and changes nothing.
 */
export function cancelOperation(name: string, body: Uint8Array, store: Store, now: number): Reply {
  const refusal = checkEmptyBody(body);
  if (refusal) return refusal;
  const operation = store.find(name, now);
  if (!operation) return notFound(`Operation ${name}`);
  if (isDone(operation, now)) {
    return googleError(400, "FAILED_PRECONDITION", "Precondition check failed.", [
      { "@type": typeUrl("google.rpc.DebugInfo"), detail: "operation has already completed" },
    ]);
  }
  if (operation.cancelRequestedAt === undefined || operation.cancelRequestedAt > now) {
    operation.cancelRequestedAt = now;
  }
  return jsonReply(200, {});
}

/** Lets no body and `{}` pass; words the rest as Google's transcoder does. */
function checkEmptyBody(body: Uint8Array): Reply | undefined {
  const text = new TextDecoder().decode(body).trim();
  if (text === "") return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    const line = text.split("\n", 1)[0]?.slice(0, 80) ?? "";
    return badRequest(`Invalid JSON payload received. Unexpected token.\n${line}\n^`);
  }
  if (!isJsonObject(value)) {
    return badRequest(`Invalid JSON payload received. Unknown name "": Root element must be a message.`);
  }
  const unknown = Object.keys(value)[0];
  return unknown === undefined
    ? undefined
    : badRequest(
        `Invalid JSON payload received. Unknown name ${JSON.stringify(unknown)}: Cannot find field.`,
      );
}
