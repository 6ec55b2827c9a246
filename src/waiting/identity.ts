import { hash } from "node:crypto";
import type { Config } from "../config/config.ts";
import type { Call } from "../rpc/call.ts";

/**
 * Whose right a read is made with. Reads, polls, cached answers and cancels are shared within an identity and never
 * across: who may see what is decided by the upstream, for each identity anew.
 */
export type Identity = string;

/** All callers, where the gateway's own credentials (or none) reach the upstream: there the {@link Authorizer} tells them apart. */
const GATEWAY: Identity = "gateway";

/**
 * The identity of a call: with forwarded credentials the hash of the whole Authorization value, since two tokens of
 * one user may have different scopes. A hash, so that no token is kept as a key.
 */
export function identityOf(
  credentials: Config["upstream"]["credentials"],
  authorization: string | undefined,
): Identity {
  return credentials === "caller" ? hash("sha256", authorization ?? "", "base64url") : GATEWAY;
}

/** What a waiting caller wants to do with a resource. */
export type Right = "get" | "list" | "cancel";

/**
 * Decides whether a caller may wait for, watch or cancel. Asked when he attaches and at each
 * `waiting.reauthorize_interval` while he waits; the shared read under him goes on for the others when he is refused.
 */
export interface Authorizer {
  /**
   * Returns, or resolves, when the caller has the right.
   *
   * @throws ConnectError that ends this caller's wait: PERMISSION_DENIED or UNAUTHENTICATED when he has no right.
   * Whatever else goes wrong ends it too, for a right that cannot be checked is none.
   */
  authorize(call: Call, name: string, right: Right): void | Promise<void>;
}

/** The key under which reads of a resource are shared: the name alone, where all callers are one. */
export function shareKey(identity: Identity, name: string): string {
  return identity === GATEWAY ? name : `${identity} ${name}`;
}
