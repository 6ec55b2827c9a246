import { type RunningEmulator, startEmulator } from "../../src/emulator/start-emulator.ts";
import type { RunningGateway } from "../../src/gateway.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { startTestGateway } from "./test-gateway.ts";

/** A gateway in this process, and the emulator that is its upstream. */
export interface GatewayOnEmulator {
  readonly emulator: RunningEmulator;
  readonly gateway: RunningGateway;
  /** Drains the gateway, then closes the emulator. */
  close(): Promise<void>;
}

/** Starts both on free ports; `flags` are settings of the gateway, by key. */
export async function startGatewayOnEmulator(
  flags: Readonly<Record<string, string>> = {},
): Promise<GatewayOnEmulator> {
  const emulator = await startEmulator({ clock: systemClock, listen: "127.0.0.1:0" });
  const gateway = await startTestGateway(emulator.endpoint, flags);
  return {
    emulator,
    gateway,
    async close() {
      await gateway.drain();
      await emulator.close();
    },
  };
}
