import { HTTP1_CARRIERS, HTTP2_CARRIERS, type ListenerOptions } from "../../src/listen/listener.ts";

/** Everything that may carry HTTP/1.1, and everything that may carry HTTP/2. */
export const HTTP1_NAMES = Object.keys(HTTP1_CARRIERS) as (keyof typeof HTTP1_CARRIERS)[];
export const HTTP2_NAMES = Object.keys(HTTP2_CARRIERS) as (keyof typeof HTTP2_CARRIERS)[];

/** Listeners in which each of them stands once, for `describe.each`: what is said of one must be true of all. */
export const CARRIERS = Array.from(
  { length: Math.max(HTTP1_NAMES.length, HTTP2_NAMES.length) },
  (_, at): [name: string, options: Pick<ListenerOptions, "http1" | "http2">] => {
    const http1 = HTTP1_NAMES[at] ?? "node";
    const http2 = HTTP2_NAMES[at] ?? "node";
    return [`${http1} HTTP/1.1 and ${http2} HTTP/2`, { http1, http2 }];
  },
);
