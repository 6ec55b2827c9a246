import { gatewayError } from "../errors/reasons.ts";
import type { Clock } from "../lib/clock.ts";
import type { GatewayParts, RunningParts } from "./parts.ts";

/** After what time, on average, the callers of what a drain has ended should come back, in milliseconds. */
const REATTACH_MS = 1_000;

/** How long the answers to calls that a drain has ended may take to leave: a round trip around the planet, ms. */
const LAST_ANSWERS_MS = 300;

/**
 * Ends a gateway in the order in which nobody loses a call: says that it is leaving, and after `drain.lame_duck` takes
 * no new connections, ends streams, lets the calls under way finish and closes everything. Calls that take longer than
 * `drain.timeout` are answered with UNAVAILABLE, and what does not leave within {@link LAST_ANSWERS_MS} then is cut.
 */
export async function drain(
  { config, health, listener, router, engine, upstream }: RunningParts,
  { clock, random }: Pick<GatewayParts, "clock" | "random">,
): Promise<void> {
  health.drain();
  await sleep(clock, config.drain.lameDuck);
  const timeout = sleep(clock, config.drain.timeout);
  const connectionsGone = listener.drain();
  const draining = () =>
    gatewayError("GATEWAY_DRAINING", "the gateway is shutting down; call again", {
      // Spread, so that the callers of this replica do not reach the next one in the same instant.
      retryDelayMs: REATTACH_MS * (0.5 + random()),
    });
  router.endStreams(draining);
  // Waits are answered with what is known: their callers ask again, elsewhere.
  engine.drain();
  await Promise.race([connectionsGone, timeout]);
  router.endCalls(draining);
  // A reset would tell nobody that the call may be sent again.
  await Promise.race([connectionsGone, sleep(clock, LAST_ANSWERS_MS)]);
  await listener.close();
  await Promise.race([upstream.close(), timeout]);
}

function sleep(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => {
    if (ms === 0) resolve();
    else clock.setTimer(ms, resolve);
  });
}
