import { setTimeout as sleep } from "node:timers/promises";
import { clientsOf, control, requestsOf, startWorld } from "./world.ts";

const WATCHED = 500;
const DATASET = "projects/p/locations/l/datasets/d";

/** Five hundred watched operations of one dataset: the requests of a cycle are the pages of the list. */
export async function sweep(): Promise<boolean> {
  const world = await startWorld();
  const { endpoint } = world;
  for (let id = 0; id < WATCHED; id++)
    await control(endpoint, "POST", "/operations", {
      dataset: DATASET,
      id: String(id),
      ageMs: 600_000,
      durationMs: 36_000_000,
    });
  const clients = clientsOf(world.gateway.address);
  const leave = new AbortController();
  for (let n = 0; n < WATCHED; n++)
    follow(
      clients.watcher(n).watchOperation({ name: `${DATASET}/operations/${n}` }, { signal: leave.signal }),
    );
  await sleep(10_000);
  await control(endpoint, "DELETE", "/requests");
  await sleep(65_000);
  const pages = (await requestsOf(endpoint, "list")).length;
  const samples = (await requestsOf(endpoint, "get")).length;
  leave.abort();
  await world.stop();
  console.log(
    `   ${WATCHED} watched for 65 s: ${pages} list requests (3 to 5: one page holds them all), ${samples} sampled reads (no more than lists)`,
  );
  return pages >= 3 && pages <= 5 && samples <= pages;
}

async function follow(stream: AsyncIterable<object>): Promise<void> {
  try {
    for await (const _ of stream);
  } catch {
    // Left at the end.
  }
}
