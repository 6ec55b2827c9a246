import { create } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import { RetryInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import { follow, type Loss, type ReattachTimes } from "../../src/cli/reattach.ts";
import { gatewayError } from "../../src/errors/reasons.ts";

/** One stream: its messages, and the error that ends it if any. `hang`: nothing more comes until it is aborted. */
type Stream = readonly (string | ConnectError | "hang")[];

const FAST: ReattachTimes = { silence: 5_000, giveUp: 5_000, pause: 1, maxPause: 2 };

/** Follows the streams, one an attachment, until `until` is read or they have failed for good. */
async function run(streams: readonly Stream[], until: string, times: Partial<ReattachTimes> = {}) {
  const seen: string[] = [];
  const losses: [Code | undefined, number][] = [];
  let attachments = 0;
  const stop = new AbortController();
  async function* attach(signal: AbortSignal): AsyncGenerator<string> {
    for (const next of streams[attachments++] ?? [new ConnectError("no more streams", Code.NotFound)]) {
      if (next instanceof ConnectError) throw next;
      if (next !== "hang") yield next;
      else await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    }
  }
  const onLoss = (loss: Loss, delayMs: number): void => void losses.push([loss?.code, delayMs]);
  let failed: Code | undefined;
  try {
    for await (const message of follow({
      attach,
      signal: stop.signal,
      onLoss,
      times: { ...FAST, ...times },
    })) {
      seen.push(message);
      if (message === until) break;
    }
  } catch (error) {
    failed = ConnectError.from(error).code;
  }
  return { seen, losses, attachments, failed };
}

const unavailable = (seconds?: bigint): ConnectError => {
  const error = new ConnectError("come again", Code.Unavailable);
  if (seconds !== undefined)
    error.details.push({
      desc: RetryInfoSchema,
      value: create(RetryInfoSchema, { retryDelay: { seconds } }),
    });
  return error;
};

describe("follow", () => {
  it("attaches again whatever cuts the stream, and not after the message it was waiting for", async () => {
    const cuts = [
      Code.Unavailable,
      Code.Internal,
      Code.Aborted,
      Code.Unknown,
      Code.Canceled,
      Code.DeadlineExceeded,
    ];
    const streams: Stream[] = cuts.map((code, n) => [`state ${n}`, new ConnectError("cut", code)]);
    const result = await run([...streams, ["quiet end"], ["done", "never read"]], "done");
    expect(result.seen).toEqual([...cuts.map((_, n) => `state ${n}`), "quiet end", "done"]);
    expect(result.losses.map(([code]) => code)).toEqual([...cuts, undefined]);
    expect([result.attachments, result.failed]).toEqual([cuts.length + 2, undefined]);
  });

  it("waits as long as RetryInfo says, else longer with each failure in a row", async () => {
    const failures = Array.from({ length: 6 }, () => [unavailable()]);
    const { losses } = await run([["a", unavailable(0n)], ...failures, ["done"]], "done", {
      pause: 4,
      maxPause: 16,
    });
    const [asked, ...own] = losses.map(([, delay]) => delay);
    expect(asked).toBe(0);
    for (const [n, delay] of own.entries()) {
      const ceiling = Math.min(4 * 2 ** n, 16);
      expect(delay).toBeGreaterThanOrEqual(ceiling / 2);
      expect(delay).toBeLessThanOrEqual(ceiling);
    }
  });

  it.each([
    Code.NotFound,
    Code.PermissionDenied,
    Code.InvalidArgument,
    Code.Unauthenticated,
    Code.Unimplemented,
  ])("ends with an error about the operation or the caller: %s", async (code) => {
    const { failed, attachments } = await run([["a", new ConnectError("no", code)], ["done"]], "done");
    expect([failed, attachments]).toEqual([code, 1]);
  });

  it("comes back when the gateway has no room now, and does not when it never will", async () => {
    const full = gatewayError("TOO_MANY_WATCHES", "full", { retryDelayMs: 1 });
    expect((await run([[full], ["done"]], "done")).seen).toEqual(["done"]);
    const large = gatewayError("COLLECTION_TOO_LARGE", "too large");
    expect((await run([["a", large], ["done"]], "done")).failed).toBe(Code.ResourceExhausted);
  });

  it("gives up at once where no stream was ever had, unless it is asked to come back", async () => {
    expect(await run([[unavailable()], ["done"]], "done")).toMatchObject({
      failed: Code.Unavailable,
      attachments: 1,
    });
    expect((await run([[unavailable(0n)], ["done"]], "done")).seen).toEqual(["done"]);
  });

  it("gives up when nothing has come for long", async () => {
    const down = Array.from({ length: 1000 }, () => [unavailable()]);
    const { failed, attachments } = await run([["a", unavailable()], ...down], "done", { giveUp: 30 });
    expect(failed).toBe(Code.Unavailable);
    expect(attachments).toBeLessThan(1000);
  });

  it("takes a stream for dead that has gone silent, though its connection lives", async () => {
    const { seen, losses } = await run([["a", "hang"], ["done"]], "done", { silence: 20 });
    expect(seen).toEqual(["a", "done"]);
    expect(losses).toHaveLength(1);
  });

  it("ends without an error when it is stopped, also in a pause", async () => {
    const stop = new AbortController();
    const times = { ...FAST, pause: 60_000, maxPause: 60_000 };
    const onLoss = (): void => stop.abort();
    async function* attach(): AsyncGenerator<string> {
      yield "a";
      throw unavailable();
    }
    const seen: string[] = [];
    for await (const message of follow({ attach, signal: stop.signal, onLoss, times })) seen.push(message);
    expect(seen).toEqual(["a"]);
  });
});
