import { expect, test } from "vitest";
import { randomRun } from "./random-run.ts";

/** Worlds in this run; `npm run simulation` asks for more. */
const SEEDS = Number(process.env["SIMULATION_SEEDS"] ?? 30);

const FIRST = Number(process.env["SIMULATION_FIRST_SEED"] ?? 1);

test(`in ${SEEDS} random worlds no terminal state is lost or sent twice, nothing is polled for nobody, and no identity gets what is another's`, async () => {
  const began = performance.now();
  for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
    const problems = await randomRun(seed);
    expect(problems, `seed ${seed}`).toEqual([]);
  }
  console.log(`${SEEDS} worlds of 15 minutes in ${((performance.now() - began) / 1000).toFixed(1)} s`);
}, 600_000);
