/** An HTTP request to the upstream, complete but for origin and credentials. Made by transcode/, sent by upstream/. */
export interface RestRequest {
  readonly verb: "GET" | "PUT" | "POST" | "DELETE" | "PATCH";
  /** Absolute path with its query, percent-encoded, e.g. `/v1beta1/projects/p/...:cancel`. */
  readonly path: string;
  /** JSON, UTF-8. `undefined`: the rule has no body, so none is sent (`Content-Length: 0` where the verb allows one). */
  readonly body: Uint8Array | undefined;
}

/**
 * The upstream's answer, whatever its status. The body is inflated and within the limit; that of a success is complete,
 * that of an error may break off.
 */
export interface RestResponse {
  readonly status: number;
  /** By lower-case name; several lines of one name are joined by `, `. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}
