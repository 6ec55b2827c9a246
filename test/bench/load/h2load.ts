import { spawn } from "node:child_process";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathOf, requestBodies, WIRES } from "../cells.ts";
import type { Load, LoadResult } from "./load.ts";

/** Calls that a process makes each second of the load, about; h2load is told a number and not a time. */
const CALLS_PER_MS = 0.25;

/**
 * The same load by h2load (nghttp2), which sends one body over and over: each connection is a process of its own with
 * a name of its own and one call in flight, because a gateway shares calls about the same operation. h2load compares
 * nothing, so an answer counts as right when its status and the length of its body are.
 */
export async function h2load(load: Load): Promise<LoadResult> {
  const { contentType, headers, http } = WIRES[load.cell.carrier];
  const directory = mkdtempSync(join(tmpdir(), "bench-h2load-"));
  const bodies = requestBodies(load.cell, load.connections * load.streams);
  const each = Math.ceil(load.ms * CALLS_PER_MS);
  const fields = Object.entries({ "content-type": contentType, ...headers });
  const url = `http://127.0.0.1:${load.port}${pathOf(load.cell)}`;
  const started = performance.now();
  const reports = await Promise.all(
    bodies.map((body, i) => {
      const file = join(directory, String(i));
      writeFileSync(file, body);
      const options = ["-n", String(each), "-c", "1", "-m", "1", "-d", file, ...(http === 1 ? ["--h1"] : [])];
      return run([...options, ...fields.flatMap(([name, value]) => ["-H", `${name}: ${value}`]), url]);
    }),
  );
  const seconds = (performance.now() - started) / 1000;
  const right = reports.map((text) => rightAnswers(text, load.expected.length));
  const calls = each * bodies.length;
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
    const child = spawn("h2load", args, { stdio: ["ignore", "pipe", "inherit"] });
    let text = "";
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
    });
    child.once("error", () => reject(new Error("h2load is not here; it is in Debian's nghttp2-client")));
    child.once("close", () => resolve(text));
  });
}
