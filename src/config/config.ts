/**
 * The configuration after loading: complete, checked, frozen. Keys are the same words as in the file
 * (snake_case there), the environment (`LRO_GATEWAY_*`) and the flags.
 */
export interface Config {
  /** `host:port` to listen on. Default `127.0.0.1:8080`; port 0 takes a free one. */
  readonly listen: string;
  /** Allows a non-loopback `listen` although callers are not authenticated. Default false. */
  readonly allowUnauthenticated: boolean;
  readonly upstream: UpstreamConfig;
  readonly log: { readonly level: "debug" | "info" | "warn" | "error" | "silent" };
  readonly cors: { readonly allowedOrigins: readonly string[] };
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
}
