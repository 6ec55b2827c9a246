import type { Clock, Timer } from "../../src/lib/clock.ts";

interface SimulatedTimer {
  readonly at: number;
  readonly order: number;
  fn: (() => void) | undefined;
}

/**
 * A clock that stands still until the test moves it. Timers fire in the order of their moments, and after each one
 * everything that it set going (promises, their reactions, and so on) runs to its end before the next one fires: so
 * hours pass in milliseconds, and in the same order each time.
 */
export class SimulatedClock implements Clock {
  /** What the wall clock shows at moment 0; a test may step it at any time. */
  wallStart = Date.UTC(2026, 10, 24, 12);
  private time = 0;
  private orders = 0;
  private readonly heap: SimulatedTimer[] = [];

  now(): number {
    return this.wallStart + this.time;
  }

  monotonic(): number {
    return this.time;
  }

  setTimer(delayMs: number, fn: () => void): Timer {
    if (delayMs === Number.POSITIVE_INFINITY) return { cancel: () => {} };
    // Whole milliseconds, as Node's timers have them, and never early.
    const at = Math.ceil(this.time + Math.max(delayMs, 0));
    const timer: SimulatedTimer = { at, order: this.orders++, fn };
    this.push(timer);
    return {
      cancel: () => {
        timer.fn = undefined;
      },
    };
  }

  /** Resolves after so many milliseconds of this clock. */
  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.setTimer(ms, resolve));
  }

  /** Timers that would still fire. */
  get pending(): number {
    return this.heap.filter((timer) => timer.fn).length;
  }

  /** Lets so much time pass. */
  async advance(ms: number): Promise<void> {
    await this.advanceTo(this.time + ms);
  }

  async advanceTo(end: number): Promise<void> {
    await settle();
    for (let next = this.heap[0]; next && next.at <= end; next = this.heap[0]) {
      this.pop();
      if (!next.fn) continue;
      this.time = next.at;
      next.fn();
      await settle();
    }
    this.time = end;
  }

  /** Lets time pass until a promise has settled, or `limitMs` have passed. */
  async run<T>(promise: Promise<T>, limitMs = 24 * 3_600_000): Promise<T> {
    let open = true;
    const close = () => {
      open = false;
    };
    promise.then(close, close);
    const end = this.time + limitMs;
    await settle();
    while (open) {
      const next = this.heap[0];
      if (!next || next.at > end)
        throw new Error(`nothing settles the promise by ${next ? end : this.time} ms`);
      await this.advanceTo(next.at);
    }
    return promise;
  }

  private push(timer: SimulatedTimer): void {
    const { heap } = this;
    let at = heap.length;
    heap.push(timer);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (before(heap[parent]!, timer)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = timer;
  }

  private pop(): void {
    const { heap } = this;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      const left = 2 * at + 1;
      if (left >= heap.length) break;
      const child = left + 1 < heap.length && before(heap[left + 1]!, heap[left]!) ? left + 1 : left;
      if (before(last, heap[child]!)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
  }
}

function before(a: SimulatedTimer, b: SimulatedTimer): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

/** Node runs all microtasks, also those that they queue, before the next tick. */
function settle(): Promise<void> {
  return new Promise((resolve) => process.nextTick(resolve));
}
