import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import { type Listener, startListener } from "../../src/listen/listener.ts";
import type { TransportCall } from "../../src/listen/transport.ts";
import { HTTP1_NAMES } from "../support/carriers.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { RawH1 } from "../support/raw-h1.ts";

/** A request of a KiB. */
const REQUEST = `GET / HTTP/1.1\r\nHost: a\r\nX: ${"x".repeat(1_000)}\r\n\r\n`;
const CONTINUE = "HTTP/1.1 100 Continue\r\n\r\n";

describe.each(HTTP1_NAMES)(
  "a caller over %s HTTP/1.1 that has sent more requests than are read, behind one that waits",
  (http1) => {
    const clock = new ManualClock();
    let listener: Listener | undefined;
    afterEach(() => listener?.close());

    /** Sends so many requests; the calls that come of them, none of which is answered, and whether they are over. */
    async function send(requests: number, first = REQUEST) {
      const calls: TransportCall[] = [];
      const ends: boolean[] = [];
      listener = await startListener({ listen: "127.0.0.1:0", http1, clock }, (call) => {
        calls.push(call);
        call.receive({
          data() {},
          complete() {},
          drained() {},
          closed: (answered) => void ends.push(answered),
        });
      });
      const caller = await RawH1.connect(Number(listener.address.split(":").at(-1)));
      caller.send(first + REQUEST.repeat(requests - 1));
      while (calls.length === 0) await sleep(1);
      return { caller, calls, ends };
    }

    /** Lets time pass, and what was sent arrive. */
    async function pass(seconds: number): Promise<void> {
      for (let second = 0; second < seconds; second++) {
        await clock.advance(1_000);
        await sleep(2);
      }
    }

    it("is read no further, however much it sends", async () => {
      // More than the kernel takes for both ends.
      const { caller, calls } = await send(20_000);
      await sleep(500);
      expect(caller.socket.writableLength).toBeGreaterThan(0);
      expect(calls).toHaveLength(1);
      caller.destroy();
    });

    it("is noticed when it goes, within half a minute", async () => {
      const { caller, ends } = await send(2_000);
      await pass(5);
      caller.destroy();
      await caller.closed;
      expect(ends).toEqual([]);
      await pass(30);
      expect(ends).toEqual([false]);
    });

    it("leaves nothing behind that would keep its requests when its connection ends", async () => {
      const { caller } = await send(100);
      await pass(1);
      await listener?.close();
      listener = undefined;
      expect(clock.pending).toBe(0);
      caller.destroy();
    });

    it("is told now and then that the gateway is there, and is answered all the same", async () => {
      const { caller, calls, ends } = await send(100);
      await pass(60);
      const probes = caller.read.split(CONTINUE).length - 1;
      expect(caller.read).toBe(CONTINUE.repeat(probes));
      expect([5, 6]).toContain(probes);
      for (let at = 0; at < 100; at++) {
        while (calls[at] === undefined) await sleep(1);
        calls[at]?.answer(200, {}, Buffer.from(`answer ${at}\n`));
      }
      await caller.until(/answer 99\n/);
      const answers = Array.from(caller.read.matchAll(/^answer (\d+)$/gm), ([, at]) => Number(at));
      expect(answers).toEqual(Array.from({ length: 100 }, (_, at) => at));
      expect(caller.read.match(/^HTTP\/1\.1 200 /gm)).toHaveLength(100);
      expect(ends.every(Boolean)).toBe(true);
      caller.destroy();
    });

    it("is told nothing when everything it has sent is read", async () => {
      const { caller } = await send(1);
      await pass(60);
      expect(caller.read).toBe("");
      caller.destroy();
    });

    it("is told nothing within an answer", async () => {
      const { caller, calls } = await send(100);
      calls[0]?.begin(200, {}, false);
      calls[0]?.write(Buffer.from("begun"));
      await pass(60);
      expect(caller.read).not.toContain("100 Continue");
      caller.destroy();
    });
  },
);
