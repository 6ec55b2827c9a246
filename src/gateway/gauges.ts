import type { Metrics } from "../observe/metrics.ts";
import type { RunningParts } from "./parts.ts";

/** What is counted by the parts themselves, and read when metrics are asked for. */
export function addGauges(
  metrics: Metrics,
  { config, router, listener, engine, upstream }: RunningParts,
): void {
  const add = (name: string, help: string, read: () => number | undefined) =>
    metrics.gauge(`lro_gateway_${name}`, help, read);
  add("processes", "Processes whose figures these are: one, or the workers.", () => 1);
  add("connections", "Open connections of callers.", () => listener.connections);
  add("open_calls", "Calls that are not answered yet, streams among them.", () => router.openCalls);
  add(
    "upstream_requests",
    "Requests to the upstream that are under way or wait for a connection.",
    upstream.load,
  );
  if (config.upstream.credentials === "adc")
    metrics.gauge(
      "lro_gateway_upstream_token_remaining_seconds",
      "Time until the gateway's own token expires.",
      () => {
        const ms = upstream.tokenRemainingMs();
        return ms === undefined ? undefined : ms / 1_000;
      },
      "min",
    );
  add("watches", "Waits and watches under way.", () => engine.stats.watches);
  add("tracked_operations", "Operations that are polled for them.", () => engine.stats.operations);
  add(
    "watched_collections",
    "Datasets whose operations are watched as a whole.",
    () => engine.stats.collections,
  );
  add("shared_reads", "Reads under way that several calls may share.", () => engine.stats.reads);
  add("cancels", "Cancels whose outcome is being found out.", () => engine.stats.cancels);
  add("cached_operations", "Finished operations that are answered from memory.", () => engine.stats.cached);
}
