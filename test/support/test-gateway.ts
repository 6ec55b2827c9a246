import { loadConfig } from "../../src/config/load.ts";
import { type RunningGateway, startGateway } from "../../src/gateway.ts";
import { systemClock } from "../../src/lib/clock.ts";
import type { Log } from "../../src/observe/log.ts";

const silent: Log = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  enabled: () => false,
  write() {},
  flush: async () => {},
};

/** A whole gateway on a free port of the loopback address, with `endpoint` as its upstream. */
export async function startTestGateway(
  endpoint: string,
  flags: Readonly<Record<string, string>> = {},
): Promise<RunningGateway> {
  const loaded = loadConfig({
    file: undefined,
    env: {},
    flags: { listen: "127.0.0.1:0", "upstream.endpoint": endpoint, "upstream.credentials": "none", ...flags },
  });
  if ("problems" in loaded) throw new Error(JSON.stringify(loaded.problems));
  return await startGateway(loaded.config, {
    clock: systemClock,
    log: silent,
    random: Math.random,
    version: "0",
  });
}
