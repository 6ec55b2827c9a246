/**
 * Where the CPU of a call goes: `node test/bench/profile.ts CELL [SECONDS]`, for example `"Cancel grpc"`. Runs the
 * gateway with V8's sampling profiler under the load of the bench, and prints self time by module and by function.
 */
import { mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CELLS, cellName, WIRES } from "./cells.ts";
import { checkedAnswer } from "./check.ts";
import { RIVALS } from "./rivals/rivals.ts";
import { startPinned } from "./server-process.ts";
import { generate, OTHER_CORE, SERVER_CORE, saturation } from "./subject.ts";
import { startUpstream } from "./upstream-process.ts";

/** What of V8's CPU profile is read here. */
interface Profile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  }[];
  readonly samples: readonly number[];
}

const cell = CELLS.find((candidate) => cellName(candidate) === (process.argv[2] ?? "Cancel grpc"));
const ms = Number(process.argv[3] ?? 8) * 1000;
const rival = RIVALS.find(({ name }) => name === (process.argv[4] ?? "lro-gateway"));
if (!cell || !rival) throw new Error(`cells: ${CELLS.map(cellName).join(", ")}`);

const directory = mkdtempSync(join(tmpdir(), "profile-"));
const upstream = await startUpstream(OTHER_CORE);
const command = rival.command(upstream.port, WIRES[cell.carrier].tls);
const [node, ...args] = command.args;
const server = await startPinned(SERVER_CORE, {
  args: [node, "--cpu-prof", `--cpu-prof-dir=${directory}`, ...args],
});
const expected = await checkedAnswer(cell, server.port);
const begun = server.cpu();
const { calls } = await generate({ rival, server, cell, expected }, { ms, ...saturation(cell) });
const microsPerCall = ((server.cpu() - begun) * 1e6) / calls;
await server.stop("SIGTERM");
await upstream.stop();
console.log(`${calls} calls, ${microsPerCall.toFixed(1)} µs of CPU each, with compilation`);

const file = readdirSync(directory)[0];
if (file === undefined) throw new Error("there is no profile");
const profile: Profile = JSON.parse(readFileSync(join(directory, file), "utf8"));
const nodes = new Map(profile.nodes.map((one) => [one.id, one.callFrame]));
const modules = new Map<string, number>();
const functions = new Map<string, number>();
const groups = new Map<string, number>();
let all = 0;
// The first half is compilation.
for (const id of profile.samples.slice(profile.samples.length / 2)) {
  const frame = nodes.get(id);
  if (!frame || ["(idle)", "(root)"].includes(frame.functionName)) continue;
  all++;
  const module = moduleOf(frame.url, frame.functionName);
  modules.set(module, (modules.get(module) ?? 0) + 1);
  const group = groupOf(module);
  groups.set(group, (groups.get(group) ?? 0) + 1);
  const name = `${frame.functionName || "(anonymous)"} ${module}:${frame.lineNumber + 1}`;
  functions.set(name, (functions.get(name) ?? 0) + 1);
}
show(groups, 40);
console.log();
show(modules, 45);
console.log();
show(functions, 250);

function moduleOf(url: string, name: string): string {
  if (url === "") return name;
  return url.replace(/^.*\/node_modules\//, "").replace(/^.*\/(?=(?:src|gen|test)\/)/, "");
}

/** Stages of the gateway, libraries, parts of Node. */
function groupOf(module: string): string {
  const stage = /^(src\/\w+|gen|@\w+\/\w+|undici)/.exec(module)?.[1];
  if (stage) return stage;
  if (/^node:internal\/http2|^node:_?http/.test(module)) return "node: http";
  if (/streams|stream_base|^node:net/.test(module)) return "node: streams and sockets";
  if (/timers/.test(module)) return "node: timers";
  return module.startsWith("node:") ? "node: other" : `native: ${module.replace(/^wasm:.*/, "wasm")}`;
}

function show(counts: Map<string, number>, most: number): void {
  for (const [name, count] of [...counts].sort((a, b) => b[1] - a[1]).slice(0, most))
    console.log(
      `${((count / all) * 100).toFixed(1).padStart(5)} % ${((count / all) * microsPerCall).toFixed(1).padStart(6)} µs  ${name}`,
    );
}
