/**
 * What a call costs, beside other servers that do the same job: `npm run bench [-- --quick --only=CELL --rivals=NAME]`.
 * See docs/performance.md for what is measured and how.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { CELLS, cellName } from "./cells.ts";
import { type Measured, measureCell, OTHER_CORE } from "./measure.ts";
import { readOptions } from "./options.ts";
import { circumstances, median, ratioTable } from "./report.ts";
import { gateway, isInstalled, RIVALS } from "./rivals/rivals.ts";
import { startUpstream } from "./upstream-process.ts";

const options = readOptions(process.argv.slice(2));
const wanted = RIVALS.filter(({ name }) => options.rivals.test(name));
if (options.before !== undefined) wanted.push(gateway("before", resolve(options.before)));
for (const { name } of wanted.filter((rival) => !isInstalled(rival)))
  console.error(`bench: ${name} is not installed and is left out`);
const rivals = wanted.filter(isInstalled);
const upstream = await startUpstream(OTHER_CORE);
const results: Record<string, readonly Measured[]> = {};
try {
  for (const cell of CELLS.filter((one) => options.only.test(cellName(one)))) {
    const measured = await measureCell(cell, rivals, upstream, options);
    results[cellName(cell)] = measured;
    for (const { rival, cpuMicros, callsPerSecond, busy, residentKiB } of measured)
      console.error(
        `${cellName(cell)}, ${rival}: ${median(cpuMicros).toFixed(1)} µs of CPU per call, ` +
          `${median(callsPerSecond).toFixed(0)} calls/s at ${(median(busy) * 100).toFixed(0)} % of a core, ${(residentKiB / 1024).toFixed(0)} MiB`,
      );
  }
} finally {
  await upstream.stop();
}
const where = circumstances(new Date());
mkdirSync(dirname(options.json), { recursive: true });
writeFileSync(options.json, `${JSON.stringify({ where, options, results }, undefined, 1)}\n`);
console.log(`\n${ratioTable(results)}\n\n${where}; medians of ${options.rounds} interleaved rounds.`);
process.exit(0);
