import type { RestRequest } from "../lib/rest.ts";
import type { RequestDispatcher } from "./dispatcher.ts";
import type { Exchange } from "./exchange.ts";

/** A dispatcher whose code may still be loading when the first requests come. */
export class LateDispatcher implements RequestDispatcher {
  readonly #load: () => Promise<RequestDispatcher>;
  #loading: Promise<RequestDispatcher> | undefined;
  #loaded: RequestDispatcher | undefined;

  constructor(load: () => Promise<RequestDispatcher>) {
    this.#load = load;
  }

  dispatch(request: RestRequest, headers: readonly string[], exchange: Exchange): void {
    if (this.#loaded) this.#loaded.dispatch(request, headers, exchange);
    else void this.#dispatchLater(request, headers, exchange);
  }

  async destroy(): Promise<void> {
    await (await this.#loading)?.destroy();
  }

  async #dispatchLater(request: RestRequest, headers: readonly string[], exchange: Exchange): Promise<void> {
    this.#loading ??= this.#load();
    this.#loaded = await this.#loading;
    // One that was given up meanwhile says so to its controller.
    this.#loaded.dispatch(request, headers, exchange);
  }
}
