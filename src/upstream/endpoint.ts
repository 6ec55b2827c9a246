/** Where requests go, decided once at start from configuration; nothing of a call can change it. */
export interface EndpointOptions {
  /** Origin of the API, e.g. `https://healthcare.googleapis.com`. */
  readonly endpoint: string;
  readonly credentials: "adc" | "caller" | "none";
  /** `googleapis.com`, or the domain of another Google Cloud universe. */
  readonly universeDomain: string;
  /** `auto`: the mTLS host when a client certificate is configured (https://google.aip.dev/auth/4114). */
  readonly mtlsEndpoint: "auto" | "always" | "never";
  readonly hasClientCertificate: boolean;
}

/** A configured endpoint, or why it cannot be used; `key` is the configuration key at fault. */
export type EndpointResult =
  | { readonly origin: string; readonly mtls: boolean }
  | { readonly problem: string; readonly key: "endpoint" | "universe_domain" | "mtls_endpoint" };

/** The universe of Google's public cloud. */
export const DEFAULT_UNIVERSE = "googleapis.com";

/** Hosts for mTLS as the APIs' discovery documents give them (`mtlsRootUrl`). */
const MTLS_HOSTS: Readonly<Record<string, string>> = {
  "healthcare.googleapis.com": "healthcare.mtls.googleapis.com",
};

/**
 * Decides the origin that requests go to.
 *
 * A host of our own choosing (a proxy, a private endpoint, the emulator) is used as it is, with the client certificate
 * if there is one. Only the API's public host is exchanged for its mTLS twin.
 */
export function resolveEndpoint(options: EndpointOptions): EndpointResult {
  const url = URL.canParse(options.endpoint) ? new URL(options.endpoint) : undefined;
  const problem = url ? originProblem(url, options.credentials) : "is not a URL";
  if (!url || problem !== undefined) return { problem: `${problem}; give ${EXAMPLE}`, key: "endpoint" };
  const host = url.hostname;
  const universe = options.universeDomain;
  if (universe !== DEFAULT_UNIVERSE && isUnder(host, DEFAULT_UNIVERSE))
    return {
      problem: `is ${universe}, but the endpoint ${host} belongs to ${DEFAULT_UNIVERSE}`,
      key: "universe_domain",
    };
  if (options.mtlsEndpoint === "never" || (options.mtlsEndpoint === "auto" && !options.hasClientCertificate))
    return { origin: url.origin, mtls: false };
  const twin = mtlsTwin(host);
  if (twin !== undefined) {
    url.hostname = twin;
    return { origin: url.origin, mtls: true };
  }
  if (options.mtlsEndpoint === "always" && !isMtlsHost(host))
    return {
      problem: `is "always", but ${host} has no mTLS host; give the host you mean as the endpoint`,
      key: "mtls_endpoint",
    };
  return { origin: url.origin, mtls: isMtlsHost(host) };
}

const EXAMPLE = "scheme and host, with a port if need be, e.g. https://healthcare.googleapis.com";

/** Why a URL is no origin that credentials may be sent to. */
function originProblem(url: URL, credentials: EndpointOptions["credentials"]): string | undefined {
  if (url.protocol !== "https:" && url.protocol !== "http:") return "is not an http or https URL";
  if (url.username !== "" || url.password !== "") return "holds a user name or password";
  if (url.pathname !== "/" || url.search !== "" || url.hash !== "")
    return "holds a path or query (the API version is a key of its own)";
  if (isMetadataHost(url.hostname)) return "is the metadata server or a link-local address";
  // A token on a plain connection can be read by whoever is on the way.
  if (url.protocol === "http:" && credentials !== "none" && !isLoopback(url.hostname))
    return "is http, on which a token would travel readably";
  return undefined;
}

/** 127.0.0.0/8, ::1 and localhost. `URL` has brought the spellings of an address to one. */
function isLoopback(host: string): boolean {
  return host === "localhost" || host === "[::1]" || /^127\.\d+\.\d+\.\d+$/.test(host);
}

/** Addresses where cloud machines find their own credentials; never an API. */
function isMetadataHost(host: string): boolean {
  const name = host.endsWith(".") ? host.slice(0, -1) : host;
  return (
    name === "metadata.google.internal" ||
    name === "metadata" ||
    name.startsWith("169.254.") ||
    // ::ffff:169.254.0.0/112 as `URL` writes it, fe80::/10, and the metadata server's own IPv6 address.
    name.startsWith("[::ffff:a9fe:") ||
    /^\[fe[89ab]/.test(name) ||
    name === "[fd20:ce::254]"
  );
}

function isUnder(host: string, domain: string): boolean {
  return host === domain || host.endsWith(`.${domain}`);
}

function isMtlsHost(host: string): boolean {
  return host.endsWith(`.mtls.${DEFAULT_UNIVERSE}`);
}

/** The mTLS twin of an API's public host; only Google's public universe has them. */
function mtlsTwin(host: string): string | undefined {
  const known = MTLS_HOSTS[host];
  if (known) return known;
  const service = /^([a-z0-9-]+)\.googleapis\.com$/.exec(host)?.[1];
  return service && `${service}.mtls.${DEFAULT_UNIVERSE}`;
}
