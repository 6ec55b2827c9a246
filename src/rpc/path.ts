import type { Registry } from "@bufbuild/protobuf";
import type { ConnectError } from "@connectrpc/connect";
import { type Clock, systemClock } from "../lib/clock.ts";
import { RequestIds } from "../lib/request-ids.ts";
import { TimerWheel } from "../lib/timer-wheel.ts";
import { type Codec, createJsonCodec, protoCodec } from "../transcode/message-codec.ts";
import { type CallLimits, DEFAULT_CALL_LIMITS } from "./limits.ts";
import type { RpcCall } from "./rpc-call.ts";
import type { Stages } from "./stages.ts";

/** How the calls of a path are read and answered. */
export interface PathOptions {
  /** Knows the types that may stand in an Any of a JSON request or answer. */
  readonly registry: Registry;
  /** Where other stages hook in. Default: none does. */
  readonly stages?: Stages;
  /** Default: the clock of the machine. */
  readonly clock?: Clock;
  /** Default: {@link DEFAULT_CALL_LIMITS}. */
  readonly limits?: Partial<CallLimits>;
  /** Told of each server stream that has ended, unless a drain ended it. */
  readonly streamEnded?: () => void;
}

/** What all calls of a router share. */
export interface Path {
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  readonly requestIds: RequestIds;
  readonly codecs: Readonly<Record<Codec["name"], Codec>>;
  readonly registry: Registry;
  readonly stages: Stages;
  readonly limits: CallLimits;
  readonly streamEnded: (() => void) | undefined;
  /** How many calls are not answered yet. */
  openCalls: number;
  /** Bytes of answers that have not left yet. */
  unsentBytes: number;
  /** The server streams among them: a drain ends these, while it lets unary calls finish. */
  readonly streams: Set<RpcCall>;
  /** Unary calls that run for long without a deadline; all others that are open are in the wheel. */
  readonly unbounded: Set<RpcCall>;
  /** Set by a drain: why no stream is opened any more. */
  refuseStreams: (() => ConnectError) | undefined;
}

/** A path without calls. */
export function createPath({
  registry,
  stages,
  clock = systemClock,
  limits,
  streamEnded,
}: PathOptions): Path {
  return {
    clock,
    wheel: new TimerWheel(clock),
    requestIds: new RequestIds(crypto.randomUUID()),
    codecs: { proto: protoCodec, json: createJsonCodec(registry) },
    registry,
    stages: stages ?? {},
    limits: { ...DEFAULT_CALL_LIMITS, ...limits },
    streamEnded,
    openCalls: 0,
    unsentBytes: 0,
    streams: new Set(),
    unbounded: new Set(),
    refuseStreams: undefined,
  };
}
