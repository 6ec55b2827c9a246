import { IGNORE_REQUEST } from "../lib/ignore-request.ts";
import type { App, ResponseHeaders, TransportCall } from "../listen/transport.ts";

/** One condition of readiness. */
export interface ReadinessCheck {
  /** As `/readyz?verbose` prints it. */
  readonly name: string;
  readonly passed: () => boolean;
}

const HEADERS: ResponseHeaders = {
  "content-type": "text/plain; charset=utf-8",
  "cache-control": "no-store",
  "x-content-type-options": "nosniff",
};

/**
 * The pages that orchestrators probe over HTTP, by path, in the manner of Kubernetes' own
 * (https://kubernetes.io/docs/reference/using-api/health-checks/):
 *
 * - `/livez`: 200 as long as the event loop turns. It depends on nothing else, for restarting the process mends
 *   nothing else.
 * - `/readyz`: 200 while all checks pass, else 503 with those that do not; with `?verbose`, all of them. What the
 *   upstream does is no check: in an outage every replica would leave at once, and callers would lose the answers
 *   that say what is wrong.
 */
export function createProbes(checks: readonly ReadinessCheck[]): ReadonlyMap<string, App> {
  return new Map([
    ["/livez", (call: TransportCall) => answer(call, 200, "ok\n")],
    ["/readyz", (call: TransportCall) => answerReadiness(call, checks)],
  ]);
}

function answerReadiness(call: TransportCall, checks: readonly ReadinessCheck[]): void {
  const results = checks.map(({ name, passed }) => ({ name, ok: passed() }));
  const ready = results.every(({ ok }) => ok);
  const query = call.target.indexOf("?");
  const verbose = query >= 0 && new URLSearchParams(call.target.slice(query)).has("verbose");
  const lines = results
    .filter(({ ok }) => verbose || !ok)
    .map(({ name, ok }) => (ok ? `[+]${name} ok\n` : `[-]${name} failed\n`));
  const verdict = ready ? (verbose ? "readyz check passed\n" : "ok\n") : "readyz check failed\n";
  answer(call, ready ? 200 : 503, lines.join("") + verdict);
}

function answer(call: TransportCall, status: number, text: string): void {
  call.receive(IGNORE_REQUEST);
  if (call.verb === "GET" || call.verb === "HEAD") call.answer(status, HEADERS, Buffer.from(text));
  else call.answer(405, { allow: "GET, HEAD" });
}
