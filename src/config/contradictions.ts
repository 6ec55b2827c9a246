import type { Config } from "./config.ts";
import { isLoopback, parseHostPort } from "./host-port.ts";
import type { Origins } from "./load.ts";
import type { Problem } from "./problem.ts";

/** Versions of the Cloud Healthcare API whose rules ship with the gateway. */
const HEALTHCARE_VERSIONS: readonly string[] = ["v1beta1", "v1"];

/** Settings that are right alone and wrong together. Those that involve a setting in `broken` are left for later. */
export function findContradictions(
  config: Config,
  origins: Origins,
  broken: ReadonlySet<string | undefined>,
): Problem[] {
  const problems: Problem[] = [];
  const add = (path: string, other: string, message: string) => {
    if (!broken.has(path) && !broken.has(other))
      problems.push({ where: origins.get(path) ?? "default", path, message });
  };
  const tcp = parseHostPort(config.listen);
  if (tcp && !isLoopback(tcp.host) && !config.allowUnauthenticated)
    add(
      "listen",
      "allow_unauthenticated",
      `other machines can reach ${config.listen}, and callers are not authenticated; listen on 127.0.0.1, or set allow_unauthenticated: true if something in front authenticates callers`,
    );
  checkTls(config, add);
  if (config.upstream.endpoint === undefined && config.upstream.credentials === "adc")
    add(
      "upstream.credentials",
      "upstream.endpoint",
      "adc needs upstream.endpoint: the embedded emulator is no place for Google credentials; name the API, for example https://healthcare.googleapis.com, or leave upstream.credentials out",
    );
  const { apiVersion, rules } = config.upstream;
  if (rules === undefined && !HEALTHCARE_VERSIONS.includes(apiVersion))
    add(
      "upstream.api_version",
      "upstream.rules",
      `${JSON.stringify(apiVersion)} is not a version of Cloud Healthcare: use ${HEALTHCARE_VERSIONS.join(" or ")}, or give the bindings of another API in upstream.rules`,
    );
  return problems;
}

/** What has no use without the certificate, and the certificate without its key. */
function checkTls({ tls }: Config, add: (path: string, other: string, message: string) => void): void {
  const { certificate, key, required } = tls;
  const together = "a certificate and its key are used together";
  if (certificate !== undefined && key === undefined)
    add("tls.certificate", "tls.key", `tls.key is missing: ${together}`);
  if (certificate === undefined && key !== undefined)
    add("tls.key", "tls.certificate", `tls.certificate is missing: ${together}`);
  if (required && certificate === undefined)
    add("tls.required", "tls.certificate", "needs tls.certificate and tls.key: nothing would be served");
}
