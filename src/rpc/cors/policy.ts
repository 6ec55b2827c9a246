import type { RequestHeaders, ResponseHeaders } from "../../listen/transport.ts";

/** Which web pages may call, and what they may send and read. Made once by {@link createCorsPolicy}. */
export interface CorsPolicy {
  readonly origins: ReadonlySet<string>;
  /** Value of `access-control-expose-headers`. */
  readonly exposed: string;
}

/** What an `Origin` header means for a request. */
export type CorsVerdict =
  /** The question of a browser before the request itself: answer it with these headers. */
  | { readonly kind: "preflight"; readonly headers: ResponseHeaders }
  /** Serve the request, and add these headers to whatever the answer is. */
  | { readonly kind: "served"; readonly headers: ResponseHeaders }
  /** A page that may not call: nothing is run. */
  | { readonly kind: "denied" };

/**
 * What a page may send: the headers of the protocols (https://connectrpc.com/docs/cors,
 * https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-WEB.md#cors-support), credentials, and what the gateway and
 * Google's clients know. Lower case, as browsers ask for them.
 */
const ALLOWED_HEADERS = [
  "authorization",
  "connect-accept-encoding",
  "connect-content-encoding",
  "connect-protocol-version",
  "connect-timeout-ms",
  "content-encoding",
  "content-type",
  "grpc-accept-encoding",
  "grpc-encoding",
  "grpc-timeout",
  "lro-max-staleness",
  "traceparent",
  "tracestate",
  "x-goog-api-client",
  "x-grpc-web",
  "x-request-id",
  "x-user-agent",
].join(", ");

/** What a page may read beside the body, without the gateway's own metadata. */
const EXPOSED_HEADERS = [
  "connect-content-encoding",
  "content-encoding",
  "grpc-encoding",
  "grpc-message",
  "grpc-retry-pushback-ms",
  "grpc-status",
  "grpc-status-details-bin",
  "retry-after",
];

/** GET is for the Connect methods that are declared free of side effects; another method answers 405 to it. */
const ALLOWED_METHODS = "GET, POST";

/** How long a browser keeps the answer to its question, in seconds: two hours, the most that Chromium keeps any. */
const MAX_AGE_SECONDS = "7200";

/** A cache must not show one page what was answered to another. */
const VARY = "Origin";
const PREFLIGHT_VARY = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers";

/**
 * Ties the allow-list to the metadata that answers may carry.
 *
 * @param origins exact origins as browsers send them, `https://console.example.com`
 * @param metadata names of response metadata; each is exposed also as a Connect trailer, behind `trailer-`
 */
export function createCorsPolicy(origins: readonly string[], metadata: readonly string[]): CorsPolicy {
  const own = metadata.flatMap((name) => [name, `trailer-${name}`]);
  return { origins: new Set(origins), exposed: [...EXPOSED_HEADERS, ...own].sort().join(", ") };
}

/**
 * Judges a request by its `Origin` (https://fetch.spec.whatwg.org/#http-cors-protocol); `undefined` when it has none
 * and needs nothing.
 *
 * Only browsers send the header, and they send it with every call that a page makes. So an origin that is not listed
 * is refused before anything runs, and not only kept from reading the answer: a page that has pointed its own name
 * at the gateway's address (DNS rebinding) would be of the same origin, and no browser would stop it. `null` is the
 * origin of sandboxed frames and local files, which is anybody's; it cannot be listed. There is no wildcard.
 */
export function judgeOrigin(
  policy: CorsPolicy,
  verb: string,
  headers: RequestHeaders,
): CorsVerdict | undefined {
  const origin = headers["origin"];
  if (origin === undefined) return verb === "GET" ? ONLY_VARY : undefined;
  if (!policy.origins.has(origin)) return DENIED;
  if (verb === "OPTIONS" && headers["access-control-request-method"] !== undefined)
    return {
      kind: "preflight",
      headers: {
        "access-control-allow-origin": origin,
        "access-control-allow-methods": ALLOWED_METHODS,
        "access-control-allow-headers": ALLOWED_HEADERS,
        "access-control-max-age": MAX_AGE_SECONDS,
        vary: PREFLIGHT_VARY,
      },
    };
  return {
    kind: "served",
    headers: {
      "access-control-allow-origin": origin,
      "access-control-expose-headers": policy.exposed,
      vary: VARY,
    },
  };
}

const DENIED: CorsVerdict = { kind: "denied" };

/** Answers to GET may be cached, also those that were not asked for by a page. */
const ONLY_VARY: CorsVerdict = { kind: "served", headers: { vary: VARY } };
