import {
  WatchOperationResponse_Kind as Kind,
  State,
  type WatchOperationResponse,
} from "../../gen/lrogateway/v1/operation_watcher_pb.ts";
import { EXIT } from "./exit-codes.ts";
import { type ClientSettings, openWatcher } from "./gateway-client.ts";
import { follow, type Loss } from "./reattach.ts";
import { explainWaitFailure } from "./wait-failure.ts";

/** How an operation is followed. */
export interface OperationFollowing {
  readonly name: string;
  readonly settings: ClientSettings;
  /** Ends it early. */
  readonly signal: AbortSignal;
  /** Gets every message, heartbeats too. */
  readonly onMessage: (message: WatchOperationResponse) => void;
  readonly onLoss: (loss: Loss, delayMs: number) => void;
}

/**
 * Follows an operation until it is done or the signal is aborted, across as many streams as that takes. The last state
 * that was seen, or `undefined` when there was none.
 *
 * @throws CommandError, see {@link explainWaitFailure}.
 */
export async function followOperation(
  following: OperationFollowing,
): Promise<WatchOperationResponse | undefined> {
  const { name, settings, signal, onMessage, onLoss } = following;
  const watcher = openWatcher(settings);
  let last: WatchOperationResponse | undefined;
  try {
    const attach = (until: AbortSignal) => watcher.watchOperation({ name }, { signal: until });
    for await (const message of follow({ attach, signal, onLoss })) {
      if (message.kind === Kind.STATE && isOlder(message, last)) continue;
      onMessage(message);
      if (message.kind !== Kind.STATE) continue;
      last = message;
      if (END[message.state] !== undefined) break;
    }
  } catch (error) {
    throw explainWaitFailure(error, settings);
  }
  return last;
}

/** The exit code that tells a terminal state; `undefined` for one that is not terminal. */
export function exitCodeOf(state: State): number | undefined {
  return END[state];
}

const END: Readonly<Partial<Record<State, number>>> = {
  [State.SUCCEEDED]: EXIT.OK,
  [State.FAILED]: EXIT.OPERATION_FAILED,
  [State.CANCELLED]: EXIT.OPERATION_CANCELLED,
  [State.DONE_WITHOUT_RESULT]: EXIT.NO_RESULT,
};

/** Another replica may know less than the one before it: its first message is then no news. */
function isOlder(message: WatchOperationResponse, last: WatchOperationResponse | undefined): boolean {
  const [now, before] = [message.readTime, last?.readTime];
  if (!now || !before || END[message.state] !== undefined) return false;
  return now.seconds < before.seconds || (now.seconds === before.seconds && now.nanos < before.nanos);
}
