/**
 * The configuration after loading: complete, checked, frozen. Keys are the same words as in the file
 * (snake_case there), the environment (`LRO_GATEWAY_*`) and the flags. Meanings and defaults: schema.ts.
 */
export interface Config {
  /** `host:port` or `unix:/path` to listen on. Default `127.0.0.1:8080`; port 0 takes a free one. */
  readonly listen: string;
  /** Allows a non-loopback `listen` although callers are not authenticated. Default false. */
  readonly allowUnauthenticated: boolean;
  /** Age at which a connection is asked to go, in milliseconds. Default ten minutes. */
  readonly maxConnectionAge: number;
  /** Processes that serve the port. Default 1; `auto`: one for each CPU. */
  readonly workers: number | "auto";
  /** Which implementation of HTTP/1.1 serves callers. Default `own`. */
  readonly http1: "node" | "own";
  /** Which implementation of HTTP/2 serves callers. Default `own`. */
  readonly http2: "node" | "own";
  /** Whether server reflection is answered. Default true. */
  readonly reflection: boolean;
  /** The smallest answer that is compressed, in bytes. Default 8,192. */
  readonly compressMinBytes: number;
  readonly tls: TlsConfig;
  readonly drain: DrainConfig;
  readonly upstream: UpstreamConfig;
  readonly waiting: WaitingConfig;
  readonly log: { readonly level: LogLevel; readonly access: boolean };
  readonly metrics: { readonly enabled: boolean; readonly expose: "local" | "all" };
  readonly cors: { readonly allowedOrigins: readonly string[] };
}

/** Least severe line that is written. */
export type LogLevel = "debug" | "info" | "warn" | "error" | "silent";

/** TLS of the port. */
export interface TlsConfig {
  /** PEM files with the certificate chain that callers are shown and its key; both or none. */
  readonly certificate?: string | undefined;
  readonly key?: string | undefined;
  /** Whether connections in clear text are closed. Default false: they are served beside TLS. */
  readonly required: boolean;
}

/** How the gateway stops. Times are in milliseconds. */
export interface DrainConfig {
  /** How long it goes on as before while its health says that it is leaving. Default 0. */
  readonly lameDuck: number;
  /** How long calls may take to finish after that. Default 8,000. */
  readonly timeout: number;
}

/** Where and how the REST API is called. */
export interface UpstreamConfig {
  /** Origin of the API, e.g. `https://healthcare.googleapis.com`. Absent: the embedded emulator. */
  readonly endpoint: string | undefined;
  /** `v1beta1` (default) or `v1` for Healthcare; selects the bindings whose path begins with it. */
  readonly apiVersion: string;
  /** `adc`: the gateway's own Google credentials; `caller`: forward the caller's bearer token; `none`: send none. */
  readonly credentials: "adc" | "caller" | "none";
  /** Path of a file with `google.api.Service` `http.rules`; absent: the Healthcare rules that ship with the gateway. */
  readonly rules: string | undefined;
  /** OAuth scope of the gateway's own credentials: `cloud-healthcare` (default), `cloud-platform`, or a scope's URL. */
  readonly scope?: string | undefined;
  /** Project whose quota and bill the calls count on (`x-goog-user-project`); over what the credentials say. */
  readonly quotaProject?: string | undefined;
  /** Google Cloud universe of endpoint and credentials. Default `googleapis.com`. */
  readonly universeDomain?: string | undefined;
  /** Whether the API's public host is exchanged for its mTLS host. Default `auto`: with a client certificate. */
  readonly mtlsEndpoint?: "auto" | "always" | "never" | undefined;
  /** PEM files with the client's certificate chain and its key, for mTLS; both or none. */
  readonly clientCertificate?: string | undefined;
  readonly clientKey?: string | undefined;
  /** PEM file with the certificate authorities to trust for the endpoint; absent: those that ship with Node. */
  readonly ca?: string | undefined;
  /** Which implementation of HTTP/1.1 calls the upstream. Default `own`; through a proxy it is always undici. */
  readonly http1?: "own" | "undici" | undefined;
  /** Connections at most, one request on each at a time. Default 64. */
  readonly connections?: number | undefined;
  /** Milliseconds for TCP and TLS; for the head of an answer; between pieces of its body; for one request in all. */
  readonly connectTimeout?: number | undefined;
  readonly headersTimeout?: number | undefined;
  readonly bodyTimeout?: number | undefined;
  readonly requestTimeout?: number | undefined;
  /** Bytes of an answer at most, inflated. Default 32 MiB. */
  readonly maxResponseBytes?: number | undefined;
  /** The proxy variables of the environment (`HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY`). */
  readonly proxy?: ProxyConfig | undefined;
}

/** Proxies on the way to the upstream. Empty is the same as absent. */
export interface ProxyConfig {
  readonly httpsProxy?: string | undefined;
  readonly httpProxy?: string | undefined;
  /** Hosts that are reached without the proxy: names, suffixes with a leading dot, `host:port`, `*`; comma-separated. */
  readonly noProxy?: string | undefined;
}

/** Waiting and watching. Times are in milliseconds. */
export interface WaitingConfig {
  /** Longest wait of WaitOperation when neither its timeout nor the deadline says less. */
  readonly maxWait: number;
  /** Silence after which a watch stream sends a heartbeat. */
  readonly heartbeat: number;
  /** Age at which a watch stream ends (jittered) and the client reattaches. */
  readonly maxStreamAge: number;
  /** The longest time that a finished operation is answered from memory; how often an authorizer is asked again. */
  readonly reauthorizeInterval: number;
  /** Read budget for each project and region; absent: learnt from the upstream's answers. */
  readonly readsPerSecond: number | undefined;
  /** From this many watched operations of one dataset on, list sweeps replace single reads. */
  readonly listThreshold: number;
  /** Waits and watches at one time. */
  readonly maxWatches: number;
  /** Waits and watches of one caller at one time. */
  readonly maxWatchesPerCaller: number;
  /** Operations tracked at one time, single ones and those of watched datasets. Default 20,000. */
  readonly maxOperations: number;
  /** Operations of one watched dataset; a stream that would be about more ends. Default 5,000. */
  readonly maxCollectionOperations: number;
}
