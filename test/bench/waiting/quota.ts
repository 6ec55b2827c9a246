import { setTimeout as sleep } from "node:timers/promises";
import { clientsOf, control, percentile, requestsOf, startWorld } from "./world.ts";

const LIMIT = 5;
const OPERATIONS = 300;
const WATCHERS = 4;

/** Real minutes; the simulation runs ten. */
const MINUTES = 2;

/** Three hundred operations with four watchers each share five reads a second, configured and learnt. */
export async function quota(): Promise<boolean> {
  const configured = await share(true);
  const learnt = await share(false);
  return configured && learnt;
}

async function share(configured: boolean): Promise<boolean> {
  const world = await startWorld(configured ? { LRO_GATEWAY_WAITING_READS_PER_SECOND: String(LIMIT) } : {});
  const { endpoint } = world;
  await control(endpoint, "PATCH", "/settings", {
    rateLimit: { perSecond: LIMIT, burst: LIMIT, methods: ["get", "list"], retryAfterSeconds: 1 },
  });
  const names: string[] = [];
  for (let id = 0; id < OPERATIONS; id++) {
    const dataset = `projects/p/locations/l/datasets/d${id}`;
    await control(endpoint, "POST", "/operations", { dataset, id: "1", durationMs: 30_000 + id * 1_000 });
    names.push(`${dataset}/operations/1`);
  }
  const clients = clientsOf(world.gateway.address);
  const began = Date.now();
  const end = began + MINUTES * 60_000;
  const failures: unknown[] = [];
  const leave = new AbortController();
  for (let n = 0; n < OPERATIONS * WATCHERS; n++) {
    const name = names[n % OPERATIONS] ?? "";
    watch(clients.watcher(n).watchOperation({ name }, { signal: leave.signal })).catch(
      (error) => leave.signal.aborted || failures.push(error),
    );
  }
  const took: number[] = [];
  while (Date.now() < end) {
    await sleep(1_500);
    const at = performance.now();
    const name = names[took.length % OPERATIONS] ?? "";
    await clients
      .operations(0)
      .getOperation({ name })
      .catch(() => {});
    took.push(performance.now() - at);
  }
  leave.abort();
  const reads = await requestsOf(endpoint, "get");
  const refused = reads.filter(({ status }) => status === 429).length;
  const accepted = reads.filter(({ status }) => status !== 429).map(({ receivedAt }) => receivedAt);
  const from = configured ? began : began + 20_000;
  const least = (windowMs: number) => leastRate(accepted, windowMs, from, end);
  const rate = accepted.filter((at) => at < end).length / MINUTES / 60;
  const p99 = percentile(took, 0.99);
  console.log(
    `   budget ${configured ? LIMIT : "learnt"}: ${rate.toFixed(2)} accepted a second${configured ? " (within 5 %)" : ""}, ` +
      `least in 30 s ${least(30_000).toFixed(2)} (at least 4), in 10 s ${least(10_000).toFixed(2)} (at least 3); ` +
      `refused ${((refused / reads.length) * 100).toFixed(1)} % (at most 10); ` +
      `Get p99 ${p99.toFixed(0)} ms${configured ? " (less than 1,000)" : ""}; ` +
      `${failures.length} of ${OPERATIONS * WATCHERS} watches failed`,
  );
  for (const failure of failures.slice(0, 3)) console.log(`   ${failure}`);
  await world.stop();
  const kept =
    failures.length === 0 && refused <= reads.length / 10 && least(30_000) >= 4 && least(10_000) >= 3;
  return kept && (!configured || (rate >= LIMIT * 0.95 && rate <= LIMIT * 1.05 && p99 < 1_000));
}

async function watch(stream: AsyncIterable<object>): Promise<void> {
  for await (const _ of stream);
}

/** The lowest rate in any window of that length. */
function leastRate(moments: readonly number[], windowMs: number, from: number, end: number): number {
  let least = Number.POSITIVE_INFINITY;
  for (let start = from; start + windowMs <= end; start += 500)
    least = Math.min(least, moments.filter((at) => at >= start && at < start + windowMs).length);
  return (least * 1_000) / windowMs;
}
