/**
 * The configuration after loading: complete, checked, frozen. Keys are the same words as in the file
 * (snake_case there), the environment (`LRO_GATEWAY_*`) and the flags. Meanings and defaults: schema.ts.
 */
export interface Config {
  /** `host:port` to listen on. Default `127.0.0.1:8080`; port 0 takes a free one. */
  readonly listen: string;
  /** Allows a non-loopback `listen` although callers are not authenticated. Default false. */
  readonly allowUnauthenticated: boolean;
  readonly upstream: UpstreamConfig;
  readonly waiting: WaitingConfig;
  readonly log: { readonly level: LogLevel };
  readonly cors: { readonly allowedOrigins: readonly string[] };
}

/** Least severe line that is written. */
export type LogLevel = "debug" | "info" | "warn" | "error" | "silent";

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

/** Waiting and watching. Times are in milliseconds. */
export interface WaitingConfig {
  /** Longest wait of WaitOperation when neither its timeout nor the deadline says less. */
  readonly maxWait: number;
  /** Silence after which a watch stream sends a heartbeat. */
  readonly heartbeat: number;
  /** Age at which a watch stream ends (jittered) and the client reattaches. */
  readonly maxStreamAge: number;
  /** How often the right of a waiting caller is checked again; bounds the age of cached finished operations too. */
  readonly reauthorizeInterval: number;
  /** Read budget for each project and region; absent: learnt from the upstream's answers. */
  readonly readsPerSecond: number | undefined;
  /** From this many watched operations of one dataset on, list sweeps replace single reads. */
  readonly listThreshold: number;
  /** Waits and watches at one time. */
  readonly maxWatches: number;
  /** Waits and watches of one caller at one time. */
  readonly maxWatchesPerCaller: number;
}
