/**
 * What a call costs, beside other servers that do the same job: `npm run bench [-- --quick --part=PART --only=CELL
 * --rivals=NAME]`. Parts are `cost`, `h2load`, `path`, `latency`, `connections`, `handshakes`, `streams`, `start`,
 * `workers` and, with `--soak-minutes=60`, `soak`; without one, all. See docs/performance.md for what is measured and how.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { CELLS, cellName } from "./cells.ts";
import { measureConnections } from "./connections.ts";
import { measureGenerators } from "./generators.ts";
import { measureHandshakes } from "./handshakes.ts";
import { measureLatency } from "./latency.ts";
import { hasH2load } from "./load/h2load.ts";
import { type Measured, measureCell } from "./measure.ts";
import { type Options, readOptions } from "./options.ts";
import { measurePath } from "./path.ts";
import {
  circumstances,
  connectionsTable,
  handshakesTable,
  latencyTable,
  median,
  memoryTable,
  pathTable,
  ratioTable,
  soakTable,
  startTable,
  streamsTable,
  workersTable,
} from "./report.ts";
import { gateway, isInstalled, RIVALS, type Rival } from "./rivals/rivals.ts";
import { measureSoak } from "./soak.ts";
import { measureStarts } from "./start.ts";
import { measureStreams } from "./streams.ts";
import { OTHER_CORE } from "./subject.ts";
import { startUpstream, type Upstream } from "./upstream-process.ts";
import { measureWorkers } from "./workers.ts";

const options = readOptions(process.argv.slice(2));
const rivals = installed(RIVALS.filter(({ name }) => options.rivals.test(name)));
if (options.before !== undefined) rivals.push(gateway("before", resolve(options.before)));
const own = RIVALS.find(({ name }) => name === "lro-gateway") as Rival;
const upstream = await startUpstream(OTHER_CORE);
const results: Record<string, unknown> = {};
try {
  for (const [part, measure] of Object.entries({
    cost,
    h2load,
    path,
    latency,
    connections,
    handshakes,
    streams,
    start,
    workers,
    soak,
  }))
    if (options.parts.test(part)) results[part] = await measure(upstream, options);
} finally {
  await upstream.stop();
}
const where = circumstances(new Date());
mkdirSync(dirname(options.json), { recursive: true });
writeFileSync(options.json, `${JSON.stringify({ where, options, results }, undefined, 1)}\n`);
console.log(`${where}; medians of ${options.rounds} interleaved rounds; as JSON in ${options.json}.`);
process.exit(0);

async function cost(upstream: Upstream, options: Options): Promise<Record<string, readonly Measured[]>> {
  const cells: Record<string, readonly Measured[]> = {};
  for (const cell of CELLS.filter((one) => options.only.test(cellName(one)))) {
    const measured = await measureCell(cell, rivals, upstream, options);
    cells[cellName(cell)] = measured;
    for (const { rival, cpuMicros, callsPerSecond, busy } of measured)
      console.error(
        `${cellName(cell)}, ${rival}: ${median(cpuMicros).toFixed(1)} µs of CPU per call, ` +
          `${median(callsPerSecond).toFixed(0)} calls/s at ${(median(busy) * 100).toFixed(0)} % of a core`,
      );
  }
  console.log(`${ratioTable(cells)}\n\n${memoryTable(cells)}\n`);
  return cells;
}

async function h2load(upstream: Upstream, options: Options) {
  if (!(await hasH2load())) {
    console.error("bench: there is no h2load (Debian's package nghttp2-client), and its part is left out");
    return undefined;
  }
  const cells = await measureGenerators(rivals, upstream, options);
  console.log(`${ratioTable(cells)}\n`);
  return cells;
}

async function path(_: Upstream, { rounds }: Options) {
  const measured = await measurePath(rounds);
  console.log(`${pathTable(measured)}\n`);
  return measured;
}

async function latency(_: Upstream, options: Options) {
  const measured = await measureLatency(rivals, options);
  console.log(`${latencyTable(measured)}\n`);
  return measured;
}

async function connections(upstream: Upstream, options: Options) {
  const measured = await measureConnections(rivals, upstream, options);
  console.log(`${connectionsTable(measured)}\n`);
  return measured;
}

async function handshakes(upstream: Upstream, options: Options) {
  const measured = await measureHandshakes(rivals, upstream, options);
  console.log(`${handshakesTable(measured)}\n`);
  return measured;
}

async function streams(upstream: Upstream) {
  const measured = [await measureStreams(own, upstream)];
  console.log(`${streamsTable(measured)}\n`);
  return measured;
}

async function start(upstream: Upstream, { rounds }: Options) {
  const measured = await measureStarts(rivals, upstream, rounds);
  console.log(`${startTable(measured)}\n`);
  return measured;
}

async function workers(upstream: Upstream, options: Options) {
  const measured = await measureWorkers(own, upstream, options);
  console.log(`${workersTable(measured)}\n`);
  return measured;
}

async function soak(upstream: Upstream, { soakMinutes, warmUpCalls }: Options) {
  const [raw] = RIVALS;
  if (soakMinutes <= 0 || raw === undefined) return undefined;
  const measured = await measureSoak(raw, own, upstream, soakMinutes, warmUpCalls);
  console.log(`${soakTable(measured)}\n`);
  return measured;
}

function installed(wanted: readonly Rival[]): Rival[] {
  for (const { name } of wanted.filter((rival) => !isInstalled(rival)))
    console.error(`bench: ${name} is not installed and is left out`);
  return wanted.filter(isInstalled);
}
