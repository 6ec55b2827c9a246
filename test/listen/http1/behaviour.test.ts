/**
 * Whatever apps do with their calls, and whenever: each receiver is told the end of its call once and last, and what
 * leaves is a sequence of whole answers, each to the request of its place. `HTTP1_RUNS` as in differential.test.ts.
 */
import fc from "fast-check";
import { expect, it } from "vitest";
import type { TransportCall } from "../../../src/listen/transport.ts";
import { throughApp } from "./harness.ts";

const RUNS = Math.ceil(Number(process.env["HTTP1_RUNS"] ?? 1_000) / 3);

/** What an app does with a call. */
interface Plan {
  /** When it begins to answer: when the call is opened, when data come, when the request is complete, or later. */
  readonly when: "opened" | "data" | "complete" | "later";
  readonly how: "answer" | "trailers" | "pieces" | "eager pieces" | "reset" | "half";
  /** Sizes of the pieces of the answer. */
  readonly pieces: readonly number[];
  readonly pauses: boolean;
  readonly resumes: boolean;
}

const plan: fc.Arbitrary<Plan> = fc.record({
  when: fc.constantFrom("opened", "data", "complete", "later"),
  how: fc.oneof(
    { arbitrary: fc.constantFrom("answer", "trailers", "pieces", "eager pieces"), weight: 8 },
    { arbitrary: fc.constantFrom("reset", "half"), weight: 1 },
  ),
  pieces: fc.array(fc.constantFrom(0, 1, 15, 16, 300, 16_384, 16_385, 70_000), { maxLength: 3 }),
  pauses: fc.boolean(),
  resumes: fc.boolean(),
});

/** Acts by a plan, and writes down what it is told. */
class Actor {
  readonly told: string[] = [];
  received = 0;
  readonly #call: TransportCall;
  readonly #plan: Plan;
  #left: number[];
  #acted = false;

  constructor(call: TransportCall, what: Plan) {
    this.#call = call;
    this.#plan = what;
    this.#left = [...what.pieces];
    call.receive(this);
    if (what.pauses) call.pause();
    if (what.resumes) setImmediate(() => call.resume());
    this.#act("opened");
    if (what.when === "later") setImmediate(() => this.#act("later"));
  }

  data(chunk: Buffer): void {
    this.received += chunk.length;
    this.#act("data");
  }

  complete(): void {
    this.told.push("complete");
    this.#act("complete");
  }

  drained(): void {
    if (this.#plan.how === "pieces" && this.#acted) this.#pump();
  }

  closed(answered: boolean): void {
    this.told.push(answered ? "answered" : "gone");
    // It has no effect any more.
    this.#call.answer(500, {});
    this.#call.reset("CANCEL");
  }

  #act(when: Plan["when"]): void {
    if (when !== this.#plan.when || this.#acted) return;
    this.#acted = true;
    const { how, pieces } = this.#plan;
    const whole = Buffer.alloc(
      pieces.reduce((sum, size) => sum + size, 0),
      "x",
    );
    if (how === "reset") this.#call.reset("INTERNAL_ERROR");
    else if (how === "answer") this.#call.answer(200, {}, whole);
    else if (how === "trailers") this.#call.answer(200, {}, whole, { a: "1" });
    else {
      this.#call.begin(200, {}, true);
      if (how === "half") return;
      if (how === "eager pieces") {
        for (const size of pieces) this.#call.write(Buffer.alloc(size, "x"));
        this.#call.end();
      } else this.#pump();
    }
  }

  #pump(): void {
    for (let size = this.#left.shift(); size !== undefined; size = this.#left.shift())
      if (!this.#call.write(Buffer.alloc(size, "x"))) return;
    this.#call.end({ a: "1" });
  }
}

/** Takes a whole answer off the front; its body's length. Throws when there is none. */
function takeAnswer(text: string): { size: number; rest: string } {
  const head = /^HTTP\/1\.1 200 OK\r\n(?:[a-z-]+: [^\r\n]*\r\n)+\r\n/.exec(text)?.[0];
  if (head === undefined) throw new Error(`no answer: ${JSON.stringify(text.slice(0, 100))}`);
  let at = head.length;
  const length = /content-length: (\d+)\r\n/.exec(head)?.[1];
  if (length !== undefined) return { size: Number(length), rest: text.slice(at + Number(length)) };
  for (let size = 0; ; ) {
    const line = /^([0-9a-f]+)\r\n/.exec(text.slice(at, at + 12));
    if (!line) throw new Error(`no chunk: ${JSON.stringify(text.slice(at, at + 20))}`);
    const bytes = Number.parseInt(line[1] ?? "", 16);
    at += line[0].length;
    if (bytes === 0) {
      const trailers = /^(?:a: 1\r\n)?\r\n/.exec(text.slice(at, at + 10));
      if (!trailers) throw new Error("no end");
      return { size, rest: text.slice(at + trailers[0].length) };
    }
    expect(text.slice(at, at + bytes + 2)).toBe(`${"x".repeat(bytes)}\r\n`);
    size += bytes;
    at += bytes + 2;
  }
}

const request = fc
  .tuple(fc.integer({ min: 0, max: 30 }), fc.boolean())
  .map(([size, chunked]) =>
    chunked
      ? `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${size > 0 ? `${size.toString(16)}\r\n${"b".repeat(size)}\r\n` : ""}0\r\n\r\n`
      : `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${size}\r\n\r\n${"b".repeat(size)}`,
  );

it("calls end once, and answers leave whole and in order, whatever apps do", {
  timeout: 600_000,
}, async () => {
  const property = fc.asyncProperty(
    fc.array(fc.tuple(request, plan), { minLength: 1, maxLength: 4 }),
    fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 4 }),
    async (calls, places) => {
      const actors: Actor[] = [];
      const bytes = Buffer.from(calls.map(([text]) => text).join(""));
      const at = [0, ...places.map((place) => Math.floor(place * bytes.length)).sort((a, b) => a - b)];
      const pieces = at.map((start, i) => bytes.subarray(start, at[i + 1] ?? bytes.length));
      const { answers } = await throughApp((call) => {
        actors.push(new Actor(call, calls[actors.length]?.[1] as Plan));
      }, pieces);
      let rest = answers;
      for (const [i, { told }] of actors.entries()) {
        // The last thing, told once, whether or not the connection lived to the end of the test.
        expect(told.filter((what) => what !== "complete")).toHaveLength(1);
        expect(told.length).toBeLessThanOrEqual(2);
        if (told.length === 2) expect(told[0]).toBe("complete");
        if (told.at(-1) !== "answered") {
          // Nothing is answered behind it.
          expect(actors).toHaveLength(i + 1);
          return;
        }
        const answer = takeAnswer(rest);
        expect(answer.size).toBe(calls[i]?.[1].pieces.reduce((sum, size) => sum + size, 0));
        rest = answer.rest;
      }
      expect(rest).toBe("");
      // Nor does one call keep the next from being read.
      if (!answers.includes("connection: close")) expect(actors).toHaveLength(calls.length);
    },
  );
  await fc.assert(property, { numRuns: RUNS });
});
