import { ConnectError } from "@connectrpc/connect";
import type { EmulatorRequest } from "../../src/emulator/emulator.ts";
import { createEmulator, type Emulator, type EmulatorOptions } from "../../src/emulator/emulator.ts";
import type { CallContext } from "../../src/lib/call-context.ts";
import type { RestRequest, RestResponse } from "../../src/lib/rest.ts";
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
  const send = (request: RestRequest, headers: Readonly<Record<string, string>>, call: CallContext) =>
    new Promise<RestResponse>((resolve, reject) => {
      const leave: (() => void)[] = [];
      const forget = call.onEnd((why) => {
        for (const listener of leave) listener();
        reject(why);
      });
      clock.setTimer(network.latency(request), async () => {
        const exchange: EmulatorRequest = {
          verb: request.verb,
          target: request.path,
          headers: {
            ...headers,
            ...(request.verb === "POST" && { "content-length": String(request.body?.length ?? 0) }),
          },
          body: request.body ?? new Uint8Array(),
          onAbort: (listener) => leave.push(listener),
        };
        const answer = await emulator.handle(exchange);
        if (answer.delivery.hang !== undefined) return;
        clock.setTimer(network.latency(request), () => {
          forget();
          if (answer.delivery.reset === undefined) resolve(answer);
          else reject(new SendFailure("reset", true, new Error("connection reset")));
        });
      });
    });
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

/** What a call was answered with, or the error that it ended with. */
export async function outcomeOf<T>(answer: Promise<T>): Promise<T | ConnectError> {
  try {
    return await answer;
  } catch (error) {
    return ConnectError.from(error);
  }
}
