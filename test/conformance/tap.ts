import type { App, RequestHeaders } from "../../src/listen/transport.ts";
import type { Call } from "../../src/rpc/call.ts";
import type { Observed } from "./definition.ts";

/** Carries from the socket to the handler what a handler has no need to see, but the runner wants echoed. */
const TAP = "x-conformance-tap";

/** Adds verb, target and header names of each request to its headers, for {@link observedBy}. */
export function tapped(app: App): App {
  return (call) => {
    const names = Object.keys(call.headers).filter((name) => !name.startsWith(":"));
    const headers: RequestHeaders = {
      ...call.headers,
      [TAP]: JSON.stringify({ verb: call.verb, target: call.target, names }),
    };
    const proxy = new Proxy(call, {
      get(target, property) {
        if (property === "headers") return headers;
        // The target as receiver: its private fields are not to be found on the proxy.
        const value: unknown = Reflect.get(target, property, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
    app(proxy);
  };
}

/** What the call knows of its request, at this moment. */
export function observedBy(call: Call): Observed {
  const tap = JSON.parse(call.header(TAP) ?? "") as { verb: string; target: string; names: string[] };
  const left = call.deadline - performance.now();
  return {
    headers: tap.names.map((name) => [name, call.header(name) ?? ""]),
    timeoutMs: Number.isFinite(left) ? left : undefined,
    query: tap.verb === "GET" ? new URL(tap.target, "http://localhost").searchParams : undefined,
  };
}
