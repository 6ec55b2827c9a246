import type { ServerHttp2Session } from "node:http2";
import type { Clock } from "../../lib/clock.ts";

const NO_ERROR = 0;

/** The highest stream id there is: a GOAWAY with it refuses no stream, and only says that the end is near. */
const MAX_STREAM_ID = 2 ** 31 - 1;

/** How long the peer may take to acknowledge that it has heard, in milliseconds. */
const ROUND_TRIP_MS = 1_000;

/**
 * Asks the peer of a session to go elsewhere, so that no call is lost: GOAWAY without a limit, then, when the peer
 * has shown by the answer to a PING that it knows, GOAWAY with the last stream (RFC 9113 §6.8). Streams that are open
 * finish, however long they take; then the connection is closed.
 */
export function retireSession(session: ServerHttp2Session, clock: Clock): void {
  if (session.closed || session.destroyed) return;
  const finish = (): void => {
    timer.cancel();
    if (!session.closed && !session.destroyed) session.close();
  };
  const timer = clock.setTimer(ROUND_TRIP_MS, finish);
  session.once("close", () => timer.cancel());
  session.goaway(NO_ERROR, MAX_STREAM_ID);
  session.ping(finish);
}
