import { OpenStreams } from "./load/open-streams.ts";
import type { Rival } from "./rivals/rivals.ts";
import { startPinned } from "./server-process.ts";
import { SERVER_CORE } from "./subject.ts";
import type { Upstream } from "./upstream-process.ts";

/** Streams that lie idle, a hundred on each connection. */
const STREAMS = 10_000;
const CONNECTIONS = 100;

/** From the last first message to the measurement. */
const REST_MS = 3_000;

/** What idle server streams cost. */
export interface IdleStreams {
  readonly rival: string;
  readonly streams: number;
  /** Resident memory of each, KiB. */
  readonly kibEach: number;
  /** Milliseconds from the word to send one message to all until the last has it. */
  readonly toAllMs: number;
}

/**
 * Opens ten thousand streams of `grpc.health.v1.Health/Watch`, lets them lie, and makes the server tell all of them of
 * a change: on SIGTERM it is no longer serving.
 */
export async function measureStreams(rival: Rival, upstream: Upstream): Promise<IdleStreams> {
  const command = rival.command(upstream.port);
  const server = await startPinned(SERVER_CORE, {
    ...command,
    env: { ...command.env, LRO_GATEWAY_DRAIN_LAME_DUCK: "10s" },
  });
  try {
    // Whatever comes with the first streams only is no stream's own.
    await OpenStreams.open(server.port, 10, 10).then((few) => few.close());
    const before = server.resident();
    const streams = await OpenStreams.open(server.port, CONNECTIONS, STREAMS / CONNECTIONS);
    await streams.messages(1);
    await new Promise((resolve) => setTimeout(resolve, REST_MS));
    const kibEach = (server.resident() - before) / STREAMS;
    const began = performance.now();
    process.kill(server.pid, "SIGTERM");
    await streams.messages(2);
    const toAllMs = performance.now() - began;
    streams.close();
    return { rival: rival.name, streams: STREAMS, kibEach, toAllMs };
  } finally {
    await server.stop();
  }
}
