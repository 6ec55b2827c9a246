import type { Query } from "./query.ts";
import { type RefusalFacts, refusal, SCOPES } from "./refusal.ts";
import type { Reply } from "./reply.ts";
import type { AuthSettings } from "./settings.ts";

/**
 * Refuses a request whose token is missing (401), bad or expired (401), has too small a scope (403) or belongs to
 * somebody without the permission (403). Permission comes before existence: without it a caller cannot tell an
 * operation that is there from one that is not.
 */
export function authenticate(
  authorization: string | undefined,
  query: Query,
  auth: AuthSettings | undefined,
  facts: RefusalFacts,
): Reply | undefined {
  if (!auth) return undefined;
  const [scheme = "", credentials = ""] = authorization?.trim().split(/\s+/, 2) ?? [];
  const token = authorization === undefined ? query.token : credentials;
  if (token === undefined) return refusal("CREDENTIALS_MISSING", facts);
  const isBearer = authorization === undefined || scheme.toLowerCase() === "bearer";
  if (!isBearer || token === "") return refusal("ACCESS_TOKEN_TYPE_UNSUPPORTED", facts);
  if (!auth.tokens) return undefined;
  const known = Object.hasOwn(auth.tokens, token) ? auth.tokens[token] : undefined;
  if (!known) return refusal("ACCESS_TOKEN_TYPE_UNSUPPORTED", facts);
  if (known.expired) return refusal("ACCESS_TOKEN_EXPIRED", facts);
  if (known.scopes && !known.scopes.some((scope) => SCOPES.includes(scope))) {
    return refusal("ACCESS_TOKEN_SCOPE_INSUFFICIENT", facts);
  }
  if (known.permissions && !known.permissions.includes(facts.permission)) {
    return refusal("IAM_PERMISSION_DENIED", facts);
  }
  return undefined;
}
