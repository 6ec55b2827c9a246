import { buildConnector, Client, type Dispatcher, EnvHttpProxyAgent } from "undici";
import type { RestRequest } from "../lib/rest.ts";
import {
  type ConnectionTimeouts,
  type DispatcherOptions,
  hasProxy,
  KEEP_ALIVE_MAX_MS,
  type RequestDispatcher,
} from "./dispatcher.ts";
import type { Controller, Exchange } from "./exchange.ts";
import { ANSWER_HEAD_LIMITS } from "./http1/answer-head.ts";
import { definedOnly } from "./http1/connect.ts";

/**
 * Returns a function that makes dispatchers of undici for one connection each or, through a proxy, hands out the one
 * that holds them all. HTTP/1.1 only and one request at a time on each: what undici would send again after a reset is
 * what is pipelined or multiplexed behind it, so nothing is.
 */
export function undiciFactory(
  { origin, tls, proxy }: DispatcherOptions,
  timeouts: ConnectionTimeouts,
  connections: number,
): () => RequestDispatcher {
  const material = definedOnly(tls ?? {});
  const clientOptions = {
    // The exchange keeps these, see {@link Exchange.age}.
    headersTimeout: 0,
    bodyTimeout: 0,
    keepAliveTimeout: timeouts.keepAlive,
    keepAliveMaxTimeout: KEEP_ALIVE_MAX_MS,
    maxHeaderSize: ANSWER_HEAD_LIMITS.headerListBytes,
    pipelining: 1,
    allowH2: false,
  };
  if (hasProxy(proxy)) {
    const agent = new EnvHttpProxyAgent({
      ...clientOptions,
      connections,
      connectTimeout: timeouts.connect,
      connect: { ...material, timeout: timeouts.connect },
      requestTls: { ...material, timeout: timeouts.connect },
      // Empty strings, not absent: undici would look at the environment instead.
      httpProxy: proxy?.httpProxy ?? "",
      httpsProxy: proxy?.httpsProxy ?? "",
      noProxy: proxy?.noProxy ?? "",
    });
    const dispatcher = new UndiciDispatcher(origin, agent);
    return () => dispatcher;
  }
  // One connector for all, so that they share TLS sessions.
  const connect = buildConnector({ ...material, allowH2: false, timeout: timeouts.connect });
  return () => new UndiciDispatcher(origin, new Client(origin, { ...clientOptions, connect }));
}

class UndiciDispatcher implements RequestDispatcher {
  readonly #origin: string;
  readonly #dispatcher: Dispatcher;

  constructor(origin: string, dispatcher: Dispatcher) {
    this.#origin = origin;
    this.#dispatcher = dispatcher;
  }

  dispatch({ verb, path, body }: RestRequest, headers: readonly string[], exchange: Exchange): void {
    this.#dispatcher.dispatch(
      {
        origin: this.#origin,
        path,
        method: verb,
        // undici copies the list and never writes to it; its type does not say so.
        headers: headers as string[],
        body: body ?? null,
        // Nothing is pipelined behind it anyway, and undici would look for work once more at the head of each answer.
        blocking: false,
      },
      new Handler(exchange),
    );
  }

  destroy(): Promise<void> {
    return this.#dispatcher.destroy();
  }
}

/** Tells an exchange what undici tells. */
class Handler implements Dispatcher.DispatchHandler {
  readonly #exchange: Exchange;

  constructor(exchange: Exchange) {
    this.#exchange = exchange;
  }

  onRequestStart(controller: Controller): void {
    this.#exchange.onRequestStart(controller);
  }

  onResponseStart(_controller: Controller, status: number, headers: UndiciHeaders): void {
    // Informational heads come before the answer's own (RFC 9110 §15.2).
    if (status >= 200) this.#exchange.onResponseStart(status, flatten(headers));
  }

  onResponseData(controller: Controller, data: Buffer): void {
    this.#exchange.onResponseData(controller, data);
  }

  onResponseEnd(): void {
    this.#exchange.onResponseEnd();
  }

  onResponseError(_controller: Controller, error: Error): void {
    this.#exchange.onResponseError(error);
  }
}

/** A list where a name came on several lines. */
type UndiciHeaders = Record<string, string | string[] | undefined>;

function flatten(headers: UndiciHeaders): Readonly<Record<string, string>> {
  for (const name in headers) {
    const value = headers[name];
    if (Array.isArray(value)) headers[name] = value.join(", ");
  }
  // No list is left, and undici sets no undefined.
  return headers as Record<string, string>;
}
