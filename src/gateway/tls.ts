import type { Config } from "../config/config.ts";
import { ConfigurationRefused } from "../config/problem.ts";
import { type KeyPair, readKeyPair } from "../listen/key-pair.ts";
import { KeyPairRenewal } from "../listen/key-pair-renewal.ts";
import type { Listener } from "../listen/listener.ts";
import type { GatewayParts } from "./parts.ts";

/** TLS as the listener takes it, from files that were found to be right. */
type OpenTls = KeyPair & { readonly required: boolean };

/** What the port needs for TLS; `undefined` without a certificate. Throws {@link ConfigurationRefused}. */
export function openTls({ tls }: Config): OpenTls | undefined {
  if (tls.certificate === undefined || tls.key === undefined) return undefined;
  const read = readKeyPair(tls.certificate, tls.key);
  if ("cert" in read) return { ...read, required: tls.required };
  throw new ConfigurationRefused([{ where: "default", path: `tls.${read.file}`, message: read.problem }]);
}

/** Keeps the pair that is shown as it is in its files. */
export function renewKeyPair(
  { tls }: Config,
  current: KeyPair,
  { clock, log }: GatewayParts,
  listener: Listener,
): KeyPairRenewal {
  return new KeyPairRenewal({
    certificateFile: tls.certificate ?? "",
    keyFile: tls.key ?? "",
    current,
    clock,
    log,
    use: (pair) => listener.useKeyPair(pair),
  });
}
