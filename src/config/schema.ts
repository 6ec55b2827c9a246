import * as z from "zod";
import {
  address,
  duration,
  integer,
  integerOrAuto,
  oneOf,
  optionalFile,
  optionalOneOf,
  optionalOrigin,
  optionalRate,
  optionalWord,
  origins,
  toggle,
  word,
} from "./settings.ts";

/**
 * Every setting: its key, its type, its default and why. The loader, the environment variables, the flags of `serve`,
 * `docs/configuration.md` and `docs/configuration.schema.json` are all made from this.
 */
export const configSchema = z.strictObject({
  listen: address({
    default: "127.0.0.1:8080",
    doc: "Where to listen for all protocols: `host:port`, or `unix:/path` for a local socket. Port 0 takes a free one. An address that other machines can reach is refused while callers are not authenticated, unless `allow_unauthenticated` is true.",
  }),
  allow_unauthenticated: toggle({
    default: false,
    doc: "Allows a `listen` address that other machines can reach although callers are not authenticated: whoever reaches the port acts with the gateway's own credentials (`upstream.credentials: adc`). Set it when something in front authenticates callers.",
  }),
  max_connection_age: duration({
    default: "10m",
    min: "1s",
    max: "24h",
    doc: "Age at which callers are asked to open a new connection (GOAWAY, `Connection: close`), a tenth sooner or later, so that new replicas get their share. Calls that are open on the old one finish there.",
  }),
  workers: integerOrAuto({
    default: 1,
    min: 1,
    max: 256,
    doc: "How many processes serve the port. `auto`: one for each CPU. Each polls and counts its limits on its own, so one is right until it is busy ([running.md](running.md#workers)).",
  }),
  http1: oneOf(["node", "own"], {
    default: "own",
    doc: "Which implementation of HTTP/1.1 serves callers: Node's (`node:http`), or the gateway's own, which costs half the CPU, is stricter about what a request is, and takes nothing that Node's would read in another way.",
  }),
  http2: oneOf(["node", "own"], {
    default: "own",
    doc: "Which implementation of HTTP/2 serves callers: the gateway's own, or Node's (`node:http2`), at which a call costs twice the CPU, for who has to go back.",
  }),
  reflection: toggle({
    default: true,
    doc: "Answers `grpc.reflection.v1` and `v1alpha`, by which grpcurl and others learn what is served and how to print it. They tell what this page tells, and nothing of callers or operations.",
  }),
  compress_min_bytes: integer({
    default: 8_192,
    min: 0,
    max: 1_073_741_824,
    doc: "The smallest answer that is compressed for a caller that accepts it (gzip, br), in bytes. A smaller one arrives no sooner for it, and compressing it costs more CPU than the call.",
  }),
  tls: section({
    certificate: optionalFile({
      doc: "PEM file with the certificate that callers are shown, and its chain behind it; needs `tls.key`. TLS is then served on the port of `listen`, with HTTP/2 and HTTP/1.1 as the caller asks by ALPN ([running.md](running.md#tls)). Read again when it changes.",
    }),
    key: optionalFile({ doc: "PEM file with the key of `tls.certificate`, not encrypted." }),
    required: toggle({
      default: false,
      doc: "Closes connections in clear text. Without it they are served beside TLS, each as its first byte asks, probes say.",
    }),
  }),
  upstream: section({
    endpoint: optionalOrigin({
      example: "https://healthcare.googleapis.com",
      doc: "Origin of the REST API; without it the gateway runs on an embedded emulator with made-up operations, and says so.",
    }),
    api_version: word({
      default: "v1beta1",
      pattern: /^v[0-9][a-z0-9]*$/,
      allowed: "a version, for example v1 or v1beta1",
      doc: "Version of the API, the first segment of its paths: `v1beta1` or `v1`; another one when `upstream.rules` has bindings for it.",
    }),
    credentials: optionalOneOf(["adc", "caller", "none"], {
      doc: "Whose credentials the upstream gets. `adc`: the gateway's own Google credentials (Application Default Credentials). `caller`: forward the caller's `authorization` header and hold no credentials. `none`: send none. Default: `adc` with an `upstream.endpoint`, `none` with the embedded emulator.",
    }),
    rules: optionalFile({
      doc: "File with the HTTP rules (`google.api.Service`, `http.rules`) of another API with operations. Without it the rules of Cloud Healthcare that ship with the gateway are used.",
    }),
    scope: word({
      default: "cloud-healthcare",
      pattern: /^(?:cloud-healthcare|cloud-platform|https:\/\/\S+)$/,
      allowed: "cloud-healthcare, cloud-platform or the URL of a scope",
      doc: "OAuth scope of the gateway's own credentials (`adc`): `cloud-healthcare`, the narrowest; `cloud-platform` for other APIs; or the URL of a scope.",
    }),
    quota_project: optionalWord({
      pattern: /^[a-z0-9][a-z0-9.:-]*$/,
      allowed: "a project id",
      doc: "Project whose quota and bill the calls count on (`x-goog-user-project`). Default: what the credentials or `GOOGLE_CLOUD_QUOTA_PROJECT` say.",
    }),
    universe_domain: word({
      default: "googleapis.com",
      pattern: /^[a-z0-9-]+(?:\.[a-z0-9-]+)+$/,
      allowed: "a domain, for example googleapis.com",
      ambient: "GOOGLE_CLOUD_UNIVERSE_DOMAIN",
      doc: "Google Cloud universe of the endpoint; the credentials must belong to the same one.",
    }),
    mtls_endpoint: oneOf(["auto", "always", "never"], {
      default: "auto",
      ambient: "GOOGLE_API_USE_MTLS_ENDPOINT",
      doc: "Whether the API's public host is exchanged for its mTLS host (AIP-4114). `auto`: when there is a client certificate.",
    }),
    client_certificate: optionalFile({
      doc: "PEM file with the client certificate (and its chain) for mTLS; needs `upstream.client_key`.",
    }),
    client_key: optionalFile({ doc: "PEM file with the key of `upstream.client_certificate`." }),
    ca: optionalFile({
      doc: "PEM file with the certificate authorities to trust for the endpoint. Default: those that ship with Node.js.",
    }),
    http1: oneOf(["own", "undici"], {
      default: "own",
      doc: "Which implementation of HTTP/1.1 calls the upstream: the gateway's own, or undici, with which a call costs 1.3 to 1.4 times the CPU, for who has to go back. Through a proxy it is always undici.",
    }),
    connections: integer({
      default: 64,
      min: 1,
      max: 1024,
      doc: "Connections to the upstream at most; each carries one request at a time.",
    }),
    connect_timeout: duration({
      default: "5s",
      min: "100ms",
      max: "1m",
      doc: "How long TCP and TLS to the upstream may take.",
    }),
    headers_timeout: duration({
      default: "30s",
      min: "1s",
      max: "10m",
      doc: "How long the upstream may take to begin an answer.",
    }),
    body_timeout: duration({
      default: "10s",
      min: "1s",
      max: "10m",
      doc: "How long the upstream may be silent inside an answer.",
    }),
    request_timeout: duration({
      default: "1m",
      min: "1s",
      max: "10m",
      doc: "How long one request to the upstream may take in all, whatever the caller's deadline.",
    }),
    max_response_bytes: integer({
      default: 33_554_432,
      min: 65_536,
      max: 1_073_741_824,
      doc: "Largest answer of the upstream that is read, in bytes after inflation.",
    }),
  }),
  waiting: section({
    max_wait: duration({
      default: "1h",
      min: "1s",
      max: "24h",
      doc: "How long WaitOperation waits at most, when neither its `timeout` nor the deadline says less.",
    }),
    heartbeat: duration({
      default: "10s",
      min: "100ms",
      max: "1h",
      doc: "A watch stream that had nothing to say for this long sends a heartbeat, so that proxies keep it open.",
    }),
    max_stream_age: duration({
      default: "30m",
      min: "1s",
      max: "24h",
      doc: "Watch streams end with UNAVAILABLE and RetryInfo at about this age (jittered), so that reattached ones spread over all replicas.",
    }),
    reauthorize_interval: duration({
      default: "1m",
      min: "1s",
      max: "1h",
      doc: "The longest time that GetOperation answers from memory, of a finished operation or within `lro-max-staleness`; then the API is asked again, and so decides again whether the caller may read it.",
    }),
    reads_per_second: optionalRate({
      max: 100_000,
      doc: "Read budget for each project and region, shared by all watches. Without it the budget is learnt from the upstream's answers.",
    }),
    list_threshold: integer({
      default: 10,
      min: 2,
      max: 1_000_000,
      doc: "From this many watched operations of one dataset on, list sweeps replace single reads. A sweep costs a request for each page and one more; measured (`npm run bench:list`), it also costs less CPU from 10 on where up to a hundred finished operations lie in the same dataset.",
    }),
    max_watches: integer({
      default: 20_000,
      min: 1,
      max: 10_000_000,
      doc: "Waits and watches at one time; more are refused with RESOURCE_EXHAUSTED.",
    }),
    max_watches_per_caller: integer({
      default: 20_000,
      min: 1,
      max: 10_000_000,
      doc: "Waits and watches of one caller at one time; more are refused with RESOURCE_EXHAUSTED.",
    }),
    max_operations: integer({
      default: 20_000,
      min: 1,
      max: 10_000_000,
      doc: "Operations that are tracked at one time, single ones and those of watched datasets.",
    }),
    max_collection_operations: integer({
      default: 5_000,
      min: 1,
      max: 10_000_000,
      doc: "Operations that one WatchOperations stream may be about, with its filter; over it the stream ends with RESOURCE_EXHAUSTED. What a new stream begins with is one message for each.",
    }),
  }),
  drain: section({
    lame_duck: duration({
      default: "0s",
      min: "0s",
      max: "10m",
      doc: "How long the gateway goes on as before after SIGTERM, while `/readyz` and `grpc.health.v1` say that it is leaving. Give a load balancer the time to notice: about 5s in Kubernetes.",
    }),
    timeout: duration({
      default: "8s",
      min: "0s",
      max: "24h",
      doc: "How long calls may take to finish after that; then they are answered with UNAVAILABLE. With `drain.lame_duck` it should be less than what follows on SIGKILL: 10 seconds on Cloud Run, 30 in Kubernetes.",
    }),
  }),
  cors: section({
    allowed_origins: origins({
      doc: "Origins of web pages that may call the gateway from a browser ([cors.md](cors.md)). Each is listed; there is no wildcard. A request with the `Origin` of another page is refused before anything runs, with an empty list too. In a variable or flag they are separated by commas.",
    }),
  }),
  log: section({
    level: oneOf(["debug", "info", "warn", "error", "silent"], {
      default: "info",
      doc: "The least severe log lines that are written (JSON, to stderr).",
    }),
    access: toggle({
      default: true,
      doc: "Writes a line for each call ([telemetry.md](telemetry.md#access-log)), as long as `log.level` is `info` or `debug`.",
    }),
  }),
  metrics: section({
    enabled: toggle({
      default: true,
      doc: "Counts calls and requests, and serves `GET /metrics` for Prometheus ([telemetry.md](telemetry.md#metrics)).",
    }),
    expose: oneOf(["local", "all"], {
      default: "local",
      doc: "Who may read `/metrics`: `local`, callers on this machine that come through no proxy; `all`, whoever reaches the port.",
    }),
  }),
});

/** A section is there even if the file does not mention it; unknown keys in it are refused. */
function section<T extends z.core.$ZodLooseShape>(shape: T) {
  // Every key of a section has a default or may be absent, so the empty section is complete input.
  return z.strictObject(shape).prefault({} as never);
}
