import { createPrivateKey, X509Certificate } from "node:crypto";
import { createSecureContext } from "node:tls";
import { readSmallRegularFile } from "../config/read-small-file.ts";

/** PEM texts that a TLS server shows its certificate with. */
export interface KeyPair {
  /** The server's certificate, and behind it those that lead to an authority. */
  readonly cert: string;
  readonly key: string;
}

/** Why a TLS server cannot use its files. */
export interface KeyPairProblem {
  readonly file: "certificate" | "key";
  /** Which file it is, what is wrong with it, and what is allowed. Repeats nothing of what is in it. */
  readonly problem: string;
}

/** What is in a PEM file whose key needs a passphrase (RFC 5958; RFC 1421 §4.6.1.1). */
const ENCRYPTED = /^(?:-----BEGIN ENCRYPTED PRIVATE KEY-----|Proc-Type: 4,ENCRYPTED)/m;

/**
 * Reads a certificate chain and its key from PEM files, and tries them together, so that a wrong file is told at start
 * and not by each handshake.
 */
export function readKeyPair(certificateFile: string, keyFile: string): KeyPair | KeyPairProblem {
  const cert = textOf(certificateFile);
  const certificate = attempt(() => new X509Certificate(cert ?? ""));
  if (cert === undefined || certificate === undefined)
    return {
      file: "certificate",
      problem: `${certificateFile} does not begin with a certificate in PEM form`,
    };
  const key = textOf(keyFile);
  const problem = (text: string): KeyPairProblem => ({ file: "key", problem: `${keyFile} ${text}` });
  if (key !== undefined && ENCRYPTED.test(key))
    return problem("holds an encrypted key; only a key without a passphrase is accepted");
  const privateKey = attempt(() => createPrivateKey(key ?? ""));
  if (key === undefined || privateKey === undefined)
    return problem("does not hold a private key in PEM form");
  if (!certificate.checkPrivateKey(privateKey))
    return problem(`does not hold the key of the first certificate in ${certificateFile}`);
  // OpenSSL's own verdict on the rest: the chain, and what it holds to be too weak.
  if (!attempt(() => createSecureContext({ cert, key })))
    return {
      file: "certificate",
      problem: `${certificateFile} is refused by TLS; it must hold the server's certificate and its chain in PEM form, with a key that is strong enough (RSA from 2,048 bits, P-256)`,
    };
  return { cert, key };
}

function textOf(file: string): string | undefined {
  const read = readSmallRegularFile(file);
  return "text" in read ? read.text : undefined;
}

/** The result of what throws for bad input. */
function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
