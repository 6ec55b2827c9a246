/**
 * Runs the built gateway once, with the first calls of a usual process, so that V8's compiled code lies beside it in
 * dist/.cache: the first start of a container is often its only one. The cache is good for this Node.js, this kind of
 * CPU and this user.
 */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";

const LAUNCHER = join(import.meta.dirname, "../bin/lro-gateway");
const DATASET = "projects/demo/locations/us-central1/datasets/demo";

const directory = mkdtempSync(join(tmpdir(), "lro-warm-"));
const config = join(directory, "gateway.yaml");
writeFileSync(config, "listen: 127.0.0.1:0\nupstream:\n  credentials: none\n");
const serving = spawn(process.execPath, [LAUNCHER, "serve", "--config", config], {
  stdio: ["ignore", "pipe", "ignore"],
});
const ended = once(serving, "exit");
try {
  for await (const line of createInterface(serving.stdout)) {
    const address = /^listening on (\S+)$/.exec(line)?.[1];
    if (address === undefined) continue;
    const listed = await call(address, "list", DATASET);
    const [name = ""] = /projects\/\S+\/operations\/\S+/.exec(listed) ?? [];
    await call(address, "cancel", name);
    break;
  }
} finally {
  // In good order, since Node.js writes the cache at its end; the server's is to be the last.
  serving.kill("SIGTERM");
}
const [code] = (await ended) as [number | null];
rmSync(directory, { recursive: true });
if (code !== 0) throw new Error(`the built gateway ended with ${code}`);

async function call(address: string, ...args: string[]): Promise<string> {
  const command = [LAUNCHER, ...args, "--address", address];
  return (await promisify(execFile)(process.execPath, command)).stdout;
}
