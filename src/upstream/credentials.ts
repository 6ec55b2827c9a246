import { gatewayError } from "../errors/reasons.ts";
import { type HeaderFacts, type OutboundHeaders, outboundHeaders, withAuthorization } from "./headers.ts";
import type { UpstreamCall } from "./operations-api.ts";
import type { AccessToken, TokenSource } from "./token-source.ts";

/** Whose credentials go upstream: one mode for the life of the process, because mixing them is how deputies get confused. */
export interface UpstreamCredentials {
  readonly mode: "adc" | "caller" | "none";
  /**
   * The headers of a call's requests, its credentials among them; without a promise when nothing has to be fetched.
   * Throws or rejects with a ConnectError (caller's credentials) or a TokenFailure (the gateway's own).
   */
  headers(call: UpstreamCall): OutboundHeaders | Promise<OutboundHeaders>;
  /** After a 401 to `refused`: headers worth one more try, or `undefined` when there are none. */
  replace(refused: OutboundHeaders): Promise<OutboundHeaders | undefined>;
}

/** Mode `none`: no credentials are sent, whatever the caller sends. For the emulator. */
export function noCredentials(facts: HeaderFacts): UpstreamCredentials {
  const headers = outboundHeaders(facts);
  return { mode: "none", headers: () => headers, replace: async () => undefined };
}

/** More than any access token; Google's are below 2 KiB, federated ones below 8. */
const MAX_AUTHORIZATION_LENGTH = 12 * 1024;

/** https://www.rfc-editor.org/rfc/rfc6750#section-2.1, scheme in any case. */
const BEARER = /^Bearer [A-Za-z0-9\-._~+/]+=*$/i;

/**
 * Mode `caller`: each call goes upstream with its caller's own bearer token, byte for byte, and the gateway holds none:
 * nothing is kept once the call is over.
 */
export function callerCredentials(facts: HeaderFacts): UpstreamCredentials {
  const base = outboundHeaders(facts);
  return {
    mode: "caller",
    headers: (call) => withAuthorization(base, checkBearer(call.authorization)),
    replace: async () => undefined,
  };
}

function checkBearer(authorization: string | undefined): string {
  if (authorization === undefined || authorization === "")
    throw gatewayError(
      "CREDENTIALS_MISSING",
      "the call carries no credentials; send your Google access token as `authorization: Bearer TOKEN`",
      { layer: "credentials" },
    );
  if (authorization.length > MAX_AUTHORIZATION_LENGTH || !BEARER.test(authorization))
    throw gatewayError(
      "CREDENTIALS_MALFORMED",
      "the authorization header is not one bearer token; send `authorization: Bearer TOKEN`",
      { layer: "credentials" },
    );
  return authorization;
}

/** Mode `adc`: every call goes upstream with the gateway's own Google credentials. */
export function ownCredentials(facts: HeaderFacts, tokens: TokenSource): UpstreamCredentials {
  const tokenOf = new WeakMap<OutboundHeaders, AccessToken>();
  let current: { readonly token: AccessToken; readonly headers: OutboundHeaders } | undefined;

  const headersOf = (token: AccessToken): OutboundHeaders => {
    if (current?.token === token) return current.headers;
    const quotaProject = facts.quotaProject ?? token.quotaProject;
    const headers = withAuthorization(outboundHeaders({ ...facts, quotaProject }), token.authorization);
    tokenOf.set(headers, token);
    current = { token, headers };
    return headers;
  };

  return {
    mode: "adc",
    headers: () => {
      const token = tokens.get();
      return token instanceof Promise ? token.then(headersOf) : headersOf(token);
    },
    replace: async (refused) => {
      const token = tokenOf.get(refused);
      const next = token && (await tokens.replace(token));
      return next && headersOf(next);
    },
  };
}
