/**
 * What a cycle of reads costs when operations of one dataset are read one by one, and when their dataset is listed:
 * `npm run bench:list`. The default of `waiting.list_threshold` follows from it: requests decide, since they are what
 * quotas count; CPU says whether the pages are worth it. The emulator is a process of its own.
 */
import { create } from "@bufbuild/protobuf";
import { ListOperationsRequestSchema } from "../../gen/google/longrunning/operations_pb.ts";
import { openBackend } from "../../src/gateway/backend.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { Observation } from "../../src/waiting/facts/observation.ts";
import { startCli } from "../support/cli-process.ts";
import { TestCall } from "../support/test-call.ts";

const WATCHED = [2, 5, 10, 20, 50, 100, 500];

/** Finished operations that lie in the same dataset: the API keeps them for a month, and lists them too. */
const FINISHED = [0, 100, 1_000];

const CYCLES = 30;

const emulator = startCli(["emulator", "--listen", "127.0.0.1:0", "--no-demo"]);
const [, endpoint = ""] = await emulator.matches(/(http:\/\/127\.0\.0\.1:\d+)/);
const upstreamConfig = { endpoint, apiVersion: "v1beta1", credentials: "none", rules: undefined };
const backend = openBackend(
  { upstream: upstreamConfig } as never,
  {
    clock: systemClock,
    random: Math.random,
    version: "bench",
  } as never,
);

console.log("watched finished | requests: reads  list | CPU ms a cycle: reads   list");
for (const finished of FINISHED)
  for (const watched of WATCHED) {
    const dataset = `projects/p/locations/l/datasets/w${watched}-f${finished}`;
    await startOperations(dataset, watched, { ageMs: 60_000, durationMs: 36_000_000 });
    await startOperations(dataset, finished, { ageMs: 600_000, durationMs: 60_000 }, "done-");
    const names = Array.from({ length: watched }, (_, id) => `${dataset}/operations/${id}`);
    const reads = await cost(() => Promise.all(names.map(read)));
    const pages = { count: 0 };
    const list = await cost(() => sweep(dataset, new Set(names), pages));
    const requests = pages.count / (CYCLES + 1) + 1;
    console.log(
      `${pad(watched, 7)} ${pad(finished, 8)} | ${pad(watched, 15)} ${pad(requests, 5)} | ${pad(reads.toFixed(2), 21)} ${pad(list.toFixed(2), 6)}`,
    );
  }
await backend.close();
emulator.child.kill();
await emulator.ended;

async function startOperations(dataset: string, count: number, times: object, prefix = ""): Promise<void> {
  for (let id = 0; id < count; id++)
    await fetch(`${endpoint}/emulator/v1/operations`, {
      method: "POST",
      body: JSON.stringify({ id: `${prefix}${id}`, dataset, ...times }),
    }).then(async (answer) => answer.ok || Promise.reject(new Error(await answer.text())));
}

async function read(name: string): Promise<void> {
  const answer = await backend.api.get(name, call());
  look(new Observation(answer, 0, 0));
}

/** The pages, of which the watched ones are looked at, and the sampled read that goes with each pass. */
async function sweep(name: string, watched: ReadonlySet<string>, pages: { count: number }): Promise<void> {
  let pageToken = "";
  do {
    const request = create(ListOperationsRequestSchema, { name, pageSize: 500, pageToken });
    const page = (await backend.api.list(request, call())).toMessage();
    for (const operation of page.operations) watched.has(operation.name);
    pageToken = page.nextPageToken;
    pages.count++;
  } while (pageToken !== "");
  await read([...watched][0]!);
}

function look(seen: Observation): boolean {
  return seen.facts.done;
}

async function cost(cycle: () => Promise<unknown>): Promise<number> {
  await cycle();
  const began = process.cpuUsage();
  for (let n = 0; n < CYCLES; n++) await cycle();
  const { user, system } = process.cpuUsage(began);
  return (user + system) / 1000 / CYCLES;
}

function call() {
  return Object.assign(new TestCall(), { authorization: undefined, retry: false });
}

function pad(value: number | string, width: number): string {
  return String(value).padStart(width);
}
