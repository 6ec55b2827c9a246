import { type ClientHttp2Session, connect, type IncomingHttpHeaders } from "node:http2";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Listener, startListener } from "../../../src/listen/listener.ts";
import type { Receiver, TransportCall } from "../../../src/listen/transport.ts";
import { Flag, Frame, frame, grpcFields, headerBlock, RawH2 } from "../../support/raw-h2.ts";
import { TEST_CERTIFICATE, TEST_KEY } from "../../support/tls.ts";

/** Connections of a property. `RANDOM_PEERS_RUNS=1000` for many, with a `--testTimeout`. */
const RUNS = Number(process.env["RANDOM_PEERS_RUNS"] ?? 15);

/** Calls that were opened and not closed, and what was told out of order. */
let openCalls = 0;
const offences: string[] = [];

/**
 * Answers with the bytes of the request `times` over, in pieces or at once, as the query asks. Stops the arrival of
 * data now and then, as a busy receiver does.
 */
class EchoReceiver implements Receiver {
  readonly #call: TransportCall;
  readonly #query: URLSearchParams;
  readonly #chunks: Buffer[] = [];
  #left: Buffer[] = [];
  #complete = false;
  #closed = false;
  #waiting = false;

  constructor(call: TransportCall) {
    this.#call = call;
    this.#query = new URLSearchParams(call.target.split("?")[1]);
    openCalls++;
  }

  data(chunk: Buffer): void {
    if (this.#complete || this.#closed) offences.push("data behind the end");
    this.#chunks.push(Buffer.from(chunk));
    if (!this.#query.has("pauses")) return;
    this.#call.pause();
    setImmediate(() => this.#call.resume());
  }

  complete(): void {
    if (this.#complete || this.#closed) offences.push("a second end");
    this.#complete = true;
    const body = Buffer.concat(this.#chunks);
    const times = Number(this.#query.get("times"));
    const trailers = this.#query.has("trailers") ? { "x-length": String(body.length) } : undefined;
    const headers = { "content-type": "a/b", "x-list": ["1", "2"] };
    if (this.#query.has("whole")) {
      this.#call.answer(200, headers, Buffer.concat(Array(times).fill(body)), trailers);
      return;
    }
    this.#left = Array(times).fill(body);
    this.#call.begin(200, headers, trailers !== undefined);
    this.#pump();
  }

  drained(): void {
    if (!this.#waiting) offences.push("drained, and nothing was written");
    this.#waiting = false;
    this.#pump();
  }

  closed(): void {
    if (this.#closed) offences.push("closed twice");
    this.#closed = true;
    openCalls--;
  }

  #pump(): void {
    while (!this.#waiting) {
      const next = this.#left.shift();
      if (next === undefined) {
        const length = Buffer.concat(this.#chunks).length;
        this.#call.end(this.#query.has("trailers") ? { "x-length": String(length) } : undefined);
        return;
      }
      this.#waiting = !this.#call.write(next);
    }
  }
}

interface Plan {
  readonly size: number;
  readonly pieces: number;
  readonly times: number;
  readonly whole: boolean;
  readonly trailers: boolean;
  readonly pauses: boolean;
  /** Reset by the client after so many bytes of the answer; -1: it is read to its end. */
  readonly abortAt: number;
  /** Whether the client stops reading for a while. */
  readonly lazy: boolean;
}

const plans: fc.Arbitrary<Plan> = fc.record({
  size: fc.oneof(fc.constant(0), fc.nat(200), fc.nat(40_000), fc.integer({ min: 60_000, max: 140_000 })),
  pieces: fc.integer({ min: 1, max: 6 }),
  times: fc.nat(4),
  whole: fc.boolean(),
  trailers: fc.boolean(),
  pauses: fc.boolean(),
  abortAt: fc.oneof({ weight: 4, arbitrary: fc.constant(-1) }, fc.nat(60_000)),
  lazy: fc.boolean(),
});

/** Makes the call, and checks every byte of its answer unless it is given up. */
async function run(session: ClientHttp2Session, plan: Plan): Promise<void> {
  const { size, pieces, times, whole, trailers, pauses, abortAt, lazy } = plan;
  const query = new URLSearchParams({
    times: String(times),
    ...(whole && { whole: "" }),
    ...(trailers && { trailers: "" }),
    ...(pauses && { pauses: "" }),
  });
  const stream = session.request({ ":method": "POST", ":path": `/echo?${query}` });
  const body = Buffer.alloc(size, "0123456789abcdefghijklmnopqrstuvwxyz");
  const step = Math.max(1, Math.ceil(size / pieces));
  for (let at = 0; at < size; at += step) stream.write(body.subarray(at, at + step));
  stream.end();
  const answer: Buffer[] = [];
  let length = 0;
  let head: IncomingHttpHeaders = {};
  let tail: IncomingHttpHeaders = {};
  stream.on("response", (headers) => {
    head = headers;
  });
  stream.on("trailers", (headers) => {
    tail = headers;
  });
  stream.on("data", (chunk: Buffer) => {
    answer.push(chunk);
    length += chunk.length;
    if (abortAt >= 0 && length > abortAt) stream.close(8);
    if (lazy) {
      stream.pause();
      setTimeout(() => stream.resume(), 1);
    }
  });
  await new Promise<void>((resolve, reject) => {
    stream.on("close", resolve);
    stream.on("error", (error) => (abortAt >= 0 ? resolve() : reject(error)));
  });
  if (abortAt >= 0) return;
  expect(head).toMatchObject({ ":status": 200, "content-type": "a/b", "x-list": "1, 2" });
  expect(Buffer.concat(answer).equals(Buffer.concat(Array(times).fill(body)))).toBe(true);
  if (trailers) expect(tail["x-length"]).toBe(String(size));
}

describe("our own HTTP/2", () => {
  let listener: Listener;
  let port: number;
  beforeAll(async () => {
    const tls = { cert: TEST_CERTIFICATE, key: TEST_KEY };
    listener = await startListener({ listen: "127.0.0.1:0", http2: "own", tls }, (call) => {
      call.receive(new EchoReceiver(call));
    });
    port = Number(listener.address.split(":").at(-1));
  });
  afterAll(() => listener.close());

  async function allClosed(): Promise<void> {
    for (let ms = 0; (openCalls > 0 || listener.connections > 0) && ms < 5_000; ms += 5)
      await new Promise((resolve) => setTimeout(resolve, 5));
    expect({ openCalls, connections: listener.connections, offences }).toEqual({
      openCalls: 0,
      connections: 0,
      offences: [],
    });
  }

  it.each(["http", "https"])(
    "answers nghttp2 over %s to the byte, whatever its windows and frames, and whenever it gives up",
    async (scheme) => {
      const settings = fc.record({
        initialWindowSize: fc.oneof(
          fc.integer({ min: 1, max: 5_000 }),
          fc.integer({ min: 16_384, max: 1_000_000 }),
        ),
        maxFrameSize: fc.integer({ min: 16_384, max: 100_000 }),
        headerTableSize: fc.constantFrom(0, 100, 4_096, 65_536),
      });
      await fc.assert(
        fc.asyncProperty(
          settings,
          fc.array(plans, { minLength: 1, maxLength: 25 }),
          async (settings, calls) => {
            const session = connect(`${scheme}://localhost:${port}`, { settings, ca: TEST_CERTIFICATE });
            session.on("error", () => {});
            // Each request that waits for the connection listens for its end.
            session.setMaxListeners(0);
            try {
              // A window is a round trip, and a window of one byte makes many of them.
              const most = 100 * settings.initialWindowSize;
              await Promise.all(
                calls.map((plan) => run(session, { ...plan, size: Math.min(plan.size, most) })),
              );
            } finally {
              session.destroy();
            }
          },
        ),
        { numRuns: RUNS },
      );
      await allClosed();
    },
  );

  it("survives any frames, and leaves no call behind", async () => {
    const open = headerBlock(grpcFields("/echo?times=2"));
    const ids = fc.oneof(fc.integer({ min: 0, max: 9 }), fc.constantFrom(2 ** 31 - 1, 101));
    const payload = fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      fc.constant(open),
      fc.constant(Buffer.alloc(4, 1)),
    );
    const frames = fc.record({
      type: fc.oneof({ weight: 3, arbitrary: fc.constantFrom(0, 1, 3, 8) }, fc.nat(11)),
      flags: fc.oneof(fc.constantFrom(0, 1, 4, 5), fc.nat(255)),
      stream: ids,
      payload,
    });
    const legal = fc.tuple(fc.integer({ min: 0, max: 4 }), fc.boolean()).map(([at, ends]) => ({
      type: Frame.HEADERS,
      flags: Flag.END_HEADERS | (ends ? Flag.END_STREAM : 0),
      stream: 2 * at + 1,
      payload: open,
    }));
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.oneof(frames, legal), { minLength: 1, maxLength: 30 }),
        fc.array(fc.nat(2_000), { maxLength: 5 }),
        async (all, places) => {
          const client = await RawH2.connect(port);
          const bytes = Buffer.concat(all.map((one) => frame(one.type, one.flags, one.stream, one.payload)));
          const borders = [
            0,
            ...places.map((place) => Math.min(place, bytes.length)).sort((a, b) => a - b),
            bytes.length,
          ];
          for (let at = 1; at < borders.length; at++) {
            client.send(bytes.subarray(borders[at - 1], borders[at]));
            await new Promise((resolve) => setImmediate(resolve));
          }
          // It answers a PING, or has said why it does not, unless a frame or a header block waits for its rest.
          client.send(frame(Frame.PING, 0, 0, Buffer.from("the last")));
          const answered = client.receive(
            ({ type, payload }) =>
              type === Frame.GOAWAY || (type === Frame.PING && payload.toString() === "the last"),
          );
          await Promise.race([answered, new Promise((resolve) => setTimeout(resolve, 300))]);
          client.destroy();
        },
      ),
      { numRuns: 4 * RUNS },
    );
    await allClosed();
  });
});
