import { expect } from "vitest";
import type { ChildServer } from "./child-server.ts";
import type { ServerReport } from "./echo-server.ts";
import { GoodCaller } from "./good-caller.ts";

/** What an attack may cost. */
export interface Cost {
  /** How far the memory of the process may rise while it lasts, in MiB. */
  readonly rssMiB: number;
  /** How often a handler may run for it. */
  readonly handled: number;
  /** CPU that the event loop may spend without coming up for air, in milliseconds. Default 50. */
  readonly turnMs?: number;
  /**
   * How late the event loop may come to its timers by the clock, and how long callers who behave may have to wait, both
   * in the middle of all times, in milliseconds. Default 1,000: the machine of a test does other things too, and the
   * attackers run in the process of the callers. How long the loop was blocked is told by its CPU.
   */
  readonly delayMs?: number;
}

/** How soon everything is as it was, in milliseconds, and how near to it the memory in use is, in MiB. */
const SETTLED_WITHIN_MS = 10_000;
const SETTLED_WITHIN_MIB = 4;

/**
 * Attacks a server while others call it, and sees to it that they are all answered, that the event loop stays free,
 * that the attack costs no more than `cost`, and that nothing of it is left within ten seconds. The attack ends its
 * own connections.
 */
export async function underAttack(
  server: ChildServer,
  cost: Cost,
  attack: () => Promise<void>,
): Promise<ServerReport> {
  const { turnMs = 50, delayMs = 1_000 } = cost;
  const before = await server.report();
  const good = new GoodCaller(server.url);
  let calls = 0;
  try {
    await attack();
  } finally {
    calls = await good.stop(10);
  }
  const during = await server.report();
  expect({
    handled: during.handled - before.handled - calls,
    longestTurnMs: during.longestTurnMs,
    loopDelayMs: during.loopDelayMs,
    rssMiB: during.rssMiB - before.rssMiB,
    medianCallMs: good.medianMs,
  }).toEqual({
    handled: atMost(cost.handled),
    longestTurnMs: atMost(turnMs),
    loopDelayMs: atMost(delayMs),
    rssMiB: atMost(cost.rssMiB),
    medianCallMs: atMost(delayMs),
  });
  await settled(server, before);
  return during;
}

/** Waits until the server holds no more than it did `before`; fails when it does not come to that. */
export async function settled(server: ChildServer, before: ServerReport): Promise<void> {
  const end = performance.now() + SETTLED_WITHIN_MS;
  for (;;) {
    const { connections, openCalls, handles, heldMiB } = await server.report();
    const now = { connections, openCalls, handles, heldMiB };
    const then = {
      connections: atMost(before.connections),
      openCalls: atMost(before.openCalls),
      handles: atMost(before.handles),
      heldMiB: atMost(before.heldMiB + SETTLED_WITHIN_MIB),
    };
    if (performance.now() > end) expect(now).toEqual(then);
    try {
      expect(now).toEqual(then);
      return;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

/** For `toEqual`, which then shows what the number is. */
function atMost(limit: number): unknown {
  return expect.toSatisfy((value: number) => value <= limit, `at most ${limit}`);
}
