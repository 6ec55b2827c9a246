import { ConnectError } from "@connectrpc/connect";
import type { EmulatorRequest } from "../../src/emulator/emulator.ts";
import { createEmulator, type Emulator, type EmulatorOptions } from "../../src/emulator/emulator.ts";
import type { EndListener } from "../../src/lib/end-listeners.ts";
import type { RestRequest } from "../../src/lib/rest.ts";
import { noCredentials } from "../../src/upstream/credentials.ts";
import { RestClient } from "../../src/upstream/rest-client.ts";
import { RestOperations } from "../../src/upstream/rest-operations.ts";
import { RetryBudget } from "../../src/upstream/retry-budget.ts";
import type { Sender } from "../../src/upstream/send.ts";
import { SendFailure } from "../../src/upstream/send-failure.ts";
import { healthcareBindings } from "./bindings.ts";
import type { SimulatedClock } from "./simulated-clock.ts";

/** What lies between the gateway and the emulator. */
export interface Network {
  /** Milliseconds in each direction. */
  readonly latency: (request: RestRequest) => number;
}

const bindings = healthcareBindings();

/**
 * The whole upstream stage of the gateway in front of the emulator, on a simulated clock: transcoding, errors and
 * decoding are those of production, and only the socket between the two is not there.
 */
export function emulatorApi(
  clock: SimulatedClock,
  network: Network,
  options: Omit<EmulatorOptions, "clock"> = {},
): { readonly emulator: Emulator; readonly api: RestOperations } {
  const emulator = createEmulator({ clock, ...options });
  const send: Sender["send"] = (request, headers, call, listener) => {
    const leave: (() => void)[] = [];
    let open = true;
    const end = (tell: () => void): void => {
      if (!open) return;
      open = false;
      call.offEnd(listening);
      tell();
    };
    const listening: EndListener = {
      callEnded: (why) =>
        end(() => {
          listener.onFailure(why);
          for (const abort of leave) abort();
        }),
    };
    call.onEnd(listening);
    clock.setTimer(network.latency(request), async () => {
      const exchange: EmulatorRequest = {
        verb: request.verb,
        target: request.path,
        headers: {
          ...named(headers),
          ...(request.verb === "POST" && { "content-length": String(request.body?.length ?? 0) }),
        },
        body: request.body ?? new Uint8Array(),
        onAbort: (abort) => leave.push(abort),
      };
      const answer = await emulator.handle(exchange);
      if (answer.delivery.hang !== undefined) return;
      clock.setTimer(network.latency(request), () =>
        end(() => {
          if (answer.delivery.reset === undefined) listener.onResponse(answer);
          else listener.onFailure(new SendFailure("reset", true, new Error("connection reset")));
        }),
      );
    });
  };
  // The one method of a Sender that the client uses.
  const sender = { send } as unknown as Sender;
  const client = new RestClient({
    sender,
    credentials: noCredentials({ version: "test", quotaProject: undefined }),
    budget: new RetryBudget(),
    clock,
    random: () => 0,
  });
  return { emulator, api: new RestOperations(bindings, client) };
}

/** A flat list of names and values, by name. */
function named(list: readonly string[]): Record<string, string> {
  const pairs: [string, string][] = [];
  for (let at = 0; at + 1 < list.length; at += 2) pairs.push([list[at] ?? "", list[at + 1] ?? ""]);
  return Object.fromEntries(pairs);
}

/** What a call was answered with, or the error that it ended with. */
export async function outcomeOf<T>(answer: Promise<T>): Promise<T | ConnectError> {
  try {
    return await answer;
  } catch (error) {
    return ConnectError.from(error);
  }
}
