/**
 * What must never be logged, by shape: resource names (a dataset or operation id may name a patient or a study),
 * bearer tokens, Google access tokens and refresh tokens, JSON Web Tokens, URLs' user info and private keys.
 */
const SECRETS: readonly (readonly [pattern: RegExp, replacement: string])[] = [
  [/projects(?:\/|%2F)[^\s"'<>?&#,;)]+/gi, "projects/[hidden]"],
  [/\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]+/gi, "$1 [hidden]"],
  [/\b(?:ya29\.|1\/\/)[A-Za-z0-9._-]+/g, "[hidden]"],
  // All JSON in base64, of which these are some: to look for the dots would cost the square of a long text without them.
  [/\beyJ[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*/g, "[hidden]"],
  [/\/\/[^\s/@]+@/g, "//[hidden]@"],
  [/-----BEGIN [^-]+-----[\s\S]*?(?:-----END [^-]+-----|$)/g, "[hidden]"],
];

/** A cheap first look: most texts hold none of these and are not searched further. */
const SUSPICIOUS = /projects|bearer|basic|ya29|eyJ|\/\/|BEGIN/i;

/** Cuts names and secrets out of a text that is to be logged. */
export function scrub(text: string): string {
  if (!SUSPICIOUS.test(text)) return text;
  return SECRETS.reduce((rest, [pattern, replacement]) => rest.replace(pattern, replacement), text);
}
