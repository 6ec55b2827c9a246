import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { startEmulator } from "../../src/emulator/start-emulator.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { startCommand, startServe } from "../support/cli-process.ts";
import { startCuttingProxy } from "../support/cutting-proxy.ts";
import { nodeProgram, programsOf } from "./programs.ts";
import { writeSnippets } from "./snippets.ts";

/**
 * The programs of docs/waiting.md behind a proxy with the times that proxies have in life: it cuts what is silent for
 * 20 s, and everything after 90 s. The gateway runs with its defaults, as users start it, and is killed in the middle.
 */

const PROXY = { idleMs: 20_000, ageMs: 90_000 };
const KILL_MS = 110_000;
const DOWN_MS = 2_000;
const DURATION_MS = 150_000;

/** Of each program so many run. */
const COPIES = 3;

it("brings every program the terminal state, once, through true cuts and a killed gateway", async () => {
  const directory = writeSnippets("true-times");
  const programs = [
    nodeProgram(directory, "watch.mjs"),
    nodeProgram(directory, "watch-browser.mjs"),
    ...programsOf("watch"),
  ];
  const emulator = await startEmulator({ clock: systemClock, listen: "127.0.0.1:0" });
  const env = { LRO_GATEWAY_UPSTREAM_ENDPOINT: emulator.endpoint, LRO_GATEWAY_UPSTREAM_CREDENTIALS: "none" };
  let gateway = await startServe([], { env });
  const proxy = await startCuttingProxy(gateway.address, PROXY);
  try {
    // Old enough to be read every 20 s only: but for heartbeats, the proxy would cut each stream for silence.
    const name = emulator.emulator.createOperation({ durationMs: DURATION_MS + 600_000, ageMs: 600_000 });
    const running = programs.flatMap(({ command, args, title }) =>
      Array.from({ length: COPIES }, () => ({
        title,
        child: startCommand(command, [...args, proxy.address, name]),
      })),
    );
    await Promise.all(running.map(({ child }) => child.matches(/RUNNING/)));
    await sleep(KILL_MS);
    expect(proxy.cuts.age).toBeGreaterThanOrEqual(running.length);
    gateway.child.kill("SIGKILL");
    await gateway.ended;
    await sleep(DOWN_MS);
    gateway = await startServe(["--listen", gateway.address], { env });
    for (const { title, child } of running) {
      const { code, stdout } = await child.ended;
      const ends = stdout.split("\n").filter((line) => line === "SUCCEEDED");
      expect([title, code, ends.length]).toEqual([title, 0, 1]);
    }
    expect(proxy.cuts.idle).toBe(0);
    const reads = emulator.emulator.requests.entries().filter(({ method }) => method === "get").length;
    console.log(
      `${running.length} programs, ${proxy.cuts.age} cuts, one kill: ${reads} reads of the upstream`,
    );
    // One every 20 s or a little more often, and one for each gateway.
    expect(reads).toBeLessThanOrEqual(DURATION_MS / 18_000 + 4);
  } finally {
    await proxy.close();
    gateway.child.kill();
    await gateway.ended;
    await emulator.close();
  }
});
