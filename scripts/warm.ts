/**
 * Runs the built gateway once, with a call, so that V8's compiled code lies beside it in dist/.cache: the first start
 * of a container is often its only one. The cache is good for this Node.js, this machine's kind of CPU and this user.
 */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";

const LAUNCHER = join(import.meta.dirname, "../bin/lro-gateway");
const DATASET = "projects/demo/locations/us-central1/datasets/demo";

const serving = spawn(process.execPath, [LAUNCHER, "serve", "--listen", "127.0.0.1:0"], {
  stdio: ["ignore", "pipe", "ignore"],
});
const ended = once(serving, "exit");
try {
  for await (const line of createInterface(serving.stdout)) {
    const address = /^listening on (\S+)$/.exec(line)?.[1];
    if (address === undefined) continue;
    await promisify(execFile)(process.execPath, [LAUNCHER, "list", DATASET, "--address", address]);
    break;
  }
} finally {
  // In good order, since Node.js writes the cache at its end.
  serving.kill("SIGTERM");
}
const [code] = (await ended) as [number | null];
if (code !== 0) throw new Error(`the built gateway ended with ${code}`);
