import { IGNORE_REQUEST } from "../lib/ignore-request.ts";
import { cameThroughProxy } from "../lib/through-proxy.ts";
import type { App, TransportCall } from "../listen/transport.ts";

/** Where the page gets its text. */
export interface MetricsSource {
  readonly contentType: string;
  render(): Promise<string>;
}

/** Loopback addresses, mapped ones among them, and local sockets. */
const LOCAL = /^(?:127\.|\[::1\]|\[::ffff:127\.|unix$)/;

/**
 * `GET /metrics` for Prometheus. With `everyone` false it is shown to callers on this machine only, and not through a
 * proxy on it that says so.
 */
export function createMetricsPage(source: MetricsSource, everyone: boolean): App {
  return (call) => {
    call.receive(IGNORE_REQUEST);
    if (!everyone && (!LOCAL.test(call.peer) || cameThroughProxy(call.headers)))
      call.answer(403, TEXT, NOT_LOCAL);
    else if (call.verb !== "GET" && call.verb !== "HEAD") call.answer(405, { allow: "GET, HEAD" });
    else void show(call, source);
  };
}

const TEXT = { "content-type": "text/plain; charset=utf-8" };
const NOT_LOCAL = Buffer.from(
  "Metrics are shown to callers on this machine only, through no proxy. Set metrics.expose: all where others may read them.\n",
);

async function show(call: TransportCall, source: MetricsSource): Promise<void> {
  try {
    const text = await source.render();
    call.answer(200, { "content-type": source.contentType, "cache-control": "no-store" }, Buffer.from(text));
  } catch {
    call.answer(500, {});
  }
}
