import type { SystemError } from "./system-code.ts";

/** Why a certificate is not believed, by the code of OpenSSL (`X509_V_ERR_…`) or of Node.js, and what to do. */
const CERTIFICATE: Readonly<Record<string, string>> = {
  DEPTH_ZERO_SELF_SIGNED_CERT: "its certificate is signed by itself; trust it with --ca FILE",
  SELF_SIGNED_CERT_IN_CHAIN:
    "its certificate is of an authority that is not trusted; give that with --ca FILE",
  UNABLE_TO_GET_ISSUER_CERT:
    "its certificate is of an authority that is not trusted; give that with --ca FILE",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    "its certificate is of an authority that is not trusted; give that with --ca FILE",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    "its certificate is of an authority that is not trusted, or the chain to it is missing; give that authority with --ca FILE",
  CERT_HAS_EXPIRED: "its certificate has expired",
  CERT_NOT_YET_VALID: "its certificate is not valid yet",
  CERT_SIGNATURE_FAILURE: "its certificate is not signed by the authority that it names",
  ERR_TLS_CERT_ALTNAME_INVALID: "its certificate is for another name; call it by one that it has",
};

/** Whether an error's code means that the two sides did not come to terms about TLS. */
export function isTlsFailure(code: string): boolean {
  return code in CERTIFICATE || code === "EPROTO" || /^ERR_(?:SSL|TLS)_/.test(code);
}

/** What was wrong, and what to do. */
export function describeTlsFailure({ code, message }: SystemError): string {
  const known = CERTIFICATE[code];
  if (known !== undefined) return known;
  if (/WRONG_VERSION_NUMBER|wrong version number/.test(`${code} ${message}`))
    return "what listens there does not speak TLS; call it as http://…";
  return `the handshake failed (${code === "EPROTO" ? (/SSL routines:[^:]*:([^:]+):/.exec(message)?.[1] ?? code) : code})`;
}
