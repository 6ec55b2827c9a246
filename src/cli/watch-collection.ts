import { toJson } from "@bufbuild/protobuf";
import {
  WatchOperationsResponse_GoneReason as GoneReason,
  WatchOperationsResponse_Kind as Kind,
  type WatchOperationsResponse,
  WatchOperationsResponseSchema,
} from "../../gen/lrogateway/v1/operation_watcher_pb.ts";
import { registry } from "../lib/any-registry.ts";
import { type Display, progressText, stateName } from "./display.ts";
import { EXIT } from "./exit-codes.ts";
import { type ClientSettings, openWatcher } from "./gateway-client.ts";
import type { CommandIo } from "./io.ts";
import { follow, type Loss } from "./reattach.ts";
import { SIGNAL_EXIT } from "./run-until-stopped.ts";
import type { StopWaiting } from "./stop-waiting.ts";
import { explainWaitFailure } from "./wait-failure.ts";

/** How the operations of a place are followed. */
export interface CollectionFollowing {
  readonly parent: string;
  readonly filter: string;
  readonly settings: ClientSettings;
  readonly signal: AbortSignal;
  readonly display: Display;
  readonly io: CommandIo;
  readonly onLoss: (loss: Loss, delayMs: number) => void;
}

/**
 * Shows what all operations of a place do until the signal is aborted. After a new attachment only what has changed
 * is shown, and what is gone.
 *
 * @throws CommandError, see {@link explainWaitFailure}.
 */
export async function watchCollection(following: CollectionFollowing): Promise<void> {
  const { parent, filter, settings, signal, display, io, onLoss } = following;
  const watcher = openWatcher(settings);
  const shown = new ShownOperations(display);
  const attach = (until: AbortSignal): AsyncIterable<WatchOperationsResponse> => {
    shown.attach();
    return watcher.watchOperations({ parent, filter }, { signal: until });
  };
  try {
    for await (const message of follow({ attach, signal, onLoss })) {
      if (settings.output === "json")
        io.out(`${JSON.stringify(toJson(WatchOperationsResponseSchema, message, { registry }))}\n`);
      shown.take(message);
    }
  } catch (error) {
    throw explainWaitFailure(error, settings);
  }
}

/** The exit code of a watch without an outcome of its own. That its time is up is what was asked for. */
export function endCollection(stop: StopWaiting, io: CommandIo): number {
  if (stop.reason === "SIGPIPE") return SIGNAL_EXIT.SIGPIPE;
  if (stop.reason !== "SIGINT" && stop.reason !== "SIGTERM") return EXIT.OK;
  io.err("Stopped watching. The operations are left alone.\n");
  return SIGNAL_EXIT[stop.reason];
}

/** What is shown of each operation, to tell what is new across attachments. */
class ShownOperations {
  readonly #display: Display;
  readonly #shown = new Map<string, string>();
  /** Operations of the snapshot that is under way. */
  #snapshot = new Set<string>();

  constructor(display: Display) {
    this.#display = display;
  }

  /** Another stream begins, with a snapshot. */
  attach(): void {
    this.#snapshot = new Set();
  }

  take(message: WatchOperationsResponse): void {
    const { kind, name, readTime } = message;
    if (kind === Kind.GONE) this.#gone(name, GONE[message.goneReason] ?? "", readTime);
    else if (kind === Kind.SNAPSHOT_END) {
      for (const known of [...this.#shown.keys()])
        if (!this.#snapshot.has(known)) this.#gone(known, "while the watch was cut", readTime);
    } else if (message.operation) {
      if (kind === Kind.SNAPSHOT) this.#snapshot.add(name);
      const { operation, state, progress } = message;
      // The rate is of the moment, and no change by itself.
      const text = `${stateName(state)} ${progressText(progress && { ...progress, rate: undefined })}`;
      if (this.#shown.get(name) === text) return;
      this.#shown.set(name, text);
      this.#display.show({ name, operation, state, progress, readTime });
    }
  }

  #gone(name: string, why: string, readTime: WatchOperationsResponse["readTime"]): void {
    this.#shown.delete(name);
    this.#display.gone(name, why, readTime);
  }
}

const GONE: Readonly<Record<number, string>> = {
  [GoneReason.NOT_FOUND]: "it does not exist any more",
  [GoneReason.FILTERED_OUT]: "the filter does not match it any more",
};
