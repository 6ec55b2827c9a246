/**
 * Runs many random worlds on all cores: `node test/simulation/main.ts [WORLDS [FIRST_SEED]]`. Prints the seed and the problem
 * of each world in which something went wrong, and then exits with 1. A seed always makes the same world.
 */
import { availableParallelism } from "node:os";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { randomRun } from "./random-run.ts";

/** Worlds without a number on the command line: what CI runs. */
const DEFAULT_WORLDS = 10_000;

/** Worlds that a worker takes at a time. */
const BATCH = 500;

interface Finding {
  readonly seed: number;
  readonly problems: readonly string[];
}

if (isMainThread) await main();
else await work(workerData);

async function main(): Promise<void> {
  const worlds = Number(process.argv[2] ?? DEFAULT_WORLDS);
  const first = Number(process.argv[3] ?? 1);
  const began = performance.now();
  let next = first;
  const findings: Finding[] = [];
  const one = async () => {
    while (next < first + worlds) {
      const from = next;
      next += BATCH;
      findings.push(...(await batch(from, Math.min(BATCH, first + worlds - from))));
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, one));
  for (const { seed, problems } of findings) console.log(`seed ${seed}:\n  ${problems.join("\n  ")}`);
  const seconds = ((performance.now() - began) / 1000).toFixed(0);
  console.log(
    `${worlds} random worlds from seed ${first} on, ${findings.length} with problems, in ${seconds} s`,
  );
  process.exit(findings.length > 0 ? 1 : 0);
}

function batch(from: number, worlds: number): Promise<Finding[]> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL(import.meta.url), { workerData: { from, worlds } });
    worker.once("message", resolve);
    worker.once("error", reject);
  });
}

async function work({ from, worlds }: { from: number; worlds: number }): Promise<void> {
  const findings: Finding[] = [];
  for (let seed = from; seed < from + worlds; seed++) {
    const problems = await randomRun(seed);
    if (problems.length > 0) findings.push({ seed, problems });
  }
  parentPort?.postMessage(findings);
}
