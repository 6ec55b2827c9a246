import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { pathOf, requestBodies, WIRES } from "../cells.ts";
import type { Load, LoadResult } from "./load.ts";

/** `scripts/bench.sh` puts h2load there when it may not install it. */
const FETCHED = join(import.meta.dirname, "../../../.cache/bench/bin");
const ENVIRONMENT = { ...process.env, PATH: `${process.env["PATH"]}${delimiter}${FETCHED}` };

/** What h2load is to send: so many calls, one at a time on each connection. */
export interface CountedLoad extends Omit<Load, "streams" | "ms"> {
  readonly calls: number;
}

/** Whether there is an h2load on this machine. */
export async function hasH2load(): Promise<boolean> {
  return run(["--version"]).then(
    () => true,
    () => false,
  );
}

/**
 * Loads a server with h2load (nghttp2), the field's usual generator, so that nobody has to believe ours. h2load sends
 * one body over and over, and a gateway shares calls about the same operation, so each connection is a process of its
 * own with a name of its own and one call in flight.
 *
 * h2load compares nothing, but tells statuses and the bytes of all bodies. An answer is right when its status is 2xx
 * and the bodies together are as long as they must be: an error of gRPC comes without a message and so without a body,
 * one of Connect with another status. The sum of what it tells is held against the upstream's count besides.
 */
export async function h2load(load: CountedLoad): Promise<LoadResult> {
  const { contentType, headers, http } = WIRES[load.cell.carrier];
  const directory = mkdtempSync(join(tmpdir(), "bench-h2load-"));
  const each = Math.ceil(load.calls / load.connections);
  const fields = Object.entries({ "content-type": contentType, ...headers });
  const target = `http://127.0.0.1:${load.port}${pathOf(load.cell)}`;
  const common = ["-n", String(each), "-c", "1", "-m", "1", ...(http === 1 ? ["--h1"] : [])];
  const bodies = requestBodies(load.cell, load.connections).map((body, i) => {
    const file = join(directory, String(i));
    writeFileSync(file, body);
    return file;
  });
  const options = fields.flatMap(([name, value]) => ["-H", `${name}: ${value}`]);
  const started = performance.now();
  const reports = await Promise.all(bodies.map((file) => run([...common, "-d", file, ...options, target])));
  const seconds = (performance.now() - started) / 1000;
  rmSync(directory, { recursive: true });
  const right = reports.map((report) => rightAnswers(report, load.expected.length));
  const calls = each * load.connections;
  return { calls, wrong: calls - right.reduce((sum, one) => sum + one, 0), seconds, latencies: [] };
}

/** Answers with status 2xx; none of them if the bodies together are not as long as they must be. */
function rightAnswers(report: string, length: number): number {
  const answered = Number(/status codes: (\d+) 2xx/.exec(report)?.[1] ?? 0);
  const bytes = Number(/\((\d+)\) data/.exec(report)?.[1] ?? -1);
  return bytes === answered * length ? answered : 0;
}

function run(args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn("h2load", args, { stdio: ["ignore", "pipe", "inherit"], env: ENVIRONMENT });
    let text = "";
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
    });
    child.once("error", reject);
    child.once("close", () => resolve(text));
  });
}
