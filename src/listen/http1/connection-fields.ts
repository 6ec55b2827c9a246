import type { Clock } from "../../lib/clock.ts";
import type { ListenerLimits } from "../limits.ts";

/** The fields of every answer that are about the connection and the moment; made anew once a second. */
export class ConnectionFields {
  readonly #clock: Clock;
  readonly #keepAlive: string;
  #second = Number.NaN;
  #date = "";
  #persistent = "";

  constructor(clock: Clock, { keepAliveMs }: ListenerLimits) {
    this.#clock = clock;
    // Clients that read it do not send the next request into the end of the connection.
    this.#keepAlive = `connection: keep-alive\r\nkeep-alive: timeout=${Math.floor(keepAliveMs / 1000)}\r\n`;
  }

  /** `Date` (RFC 9110 §6.6.1) and `Connection`, for an answer that is the `last` one of its connection or not. */
  lines(last: boolean): string {
    const second = Math.floor(this.#clock.now() / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#date = `date: ${new Date(second * 1000).toUTCString()}\r\n`;
      this.#persistent = this.#date + this.#keepAlive;
    }
    return last ? `${this.#date}connection: close\r\n` : this.#persistent;
  }
}
