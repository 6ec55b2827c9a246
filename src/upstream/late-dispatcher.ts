import type { RestRequest } from "../lib/rest.ts";
import type { RequestDispatcher } from "./dispatcher.ts";
import type { Exchange } from "./exchange.ts";

/** A dispatcher whose code may still be loading when the first requests come. */
export class LateDispatcher implements RequestDispatcher {
  readonly #coming: Promise<RequestDispatcher>;

  constructor(coming: Promise<RequestDispatcher>) {
    this.#coming = coming;
  }

  dispatch(request: RestRequest, headers: readonly string[], exchange: Exchange): void {
    // A request that was given up meanwhile says so to its controller. A microtask more does not count beside undici.
    void this.#coming.then((dispatcher) => dispatcher.dispatch(request, headers, exchange));
  }

  async destroy(): Promise<void> {
    await (await this.#coming).destroy();
  }
}
