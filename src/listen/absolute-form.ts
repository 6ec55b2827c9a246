import { isAuthority } from "../lib/authority.ts";

/** What the target URI of a request names. */
export interface TargetUri {
  readonly authority: string;
  /** Path and query as in origin-form, or `*`. */
  readonly target: string;
}

/**
 * Scheme, authority, then path and query, which begin with what ends the authority: there is one way only to cut a text
 * into these. A fragment is no part of a request target.
 */
const ABSOLUTE_FORM = /^https?:\/\/([^/?#]+)((?:[/?][^#]*)?)$/i;

/**
 * Takes apart a target in absolute-form, `http://host/path`: what a caller sends who takes the gateway for a proxy, and
 * what every server has to accept (RFC 9112 §3.2.2). `undefined`: it is none, is of another scheme, or its authority is
 * none that a call may have; user information is not (RFC 9110 §4.2.4).
 */
export function readAbsoluteForm(verb: string, uri: string): TargetUri | undefined {
  const found = ABSOLUTE_FORM.exec(uri);
  const authority = found?.[1];
  if (!isAuthority(authority)) return undefined;
  const rest = found?.[2] ?? "";
  if (rest.startsWith("/")) return { authority, target: rest };
  // RFC 9112 §3.2.4: so a proxy is told to ask a server about itself.
  if (rest === "" && verb === "OPTIONS") return { authority, target: "*" };
  return { authority, target: `/${rest}` };
}

/**
 * Whether `Host` may stand beside a target in absolute-form, which replaces it: it is ignored, but a malformed one is
 * still an error (RFC 9112 §3.2). An empty one is not: a target URI may have no authority.
 */
export function isIgnorableHost(host: string | undefined): boolean {
  return host === undefined || host === "" || isAuthority(host);
}
