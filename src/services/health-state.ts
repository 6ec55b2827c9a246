import { HealthCheckResponse_ServingStatus as Status } from "../../gen/grpc/health/v1/health_pb.ts";

/** The name that stands for the server as a whole in `grpc.health.v1`. */
const WHOLE_SERVER = "";

/**
 * What the health service tells: the state of the server as a whole and of each of its services, by full name.
 *
 * It says whether calls should be sent *here*; the state of the upstream is no part of it, since an outage there would
 * take every replica out of service at once.
 */
export class HealthState {
  readonly #states: Map<string, Status>;
  readonly #listeners = new Set<() => void>();
  #draining = false;

  /** All states are NOT_SERVING until {@link serve} is called. */
  constructor(services: Iterable<string>) {
    this.#states = new Map([[WHOLE_SERVER, Status.NOT_SERVING]]);
    for (const service of services) this.#states.set(service, Status.NOT_SERVING);
  }

  /** SERVING for all. Without effect once {@link drain} was called. */
  serve(): void {
    if (!this.#draining) this.#setAll(Status.SERVING);
  }

  /** NOT_SERVING for all, for good. */
  drain(): void {
    this.#draining = true;
    this.#setAll(Status.NOT_SERVING);
  }

  /** Whether {@link drain} was called. */
  get draining(): boolean {
    return this.#draining;
  }

  /** Whether the server as a whole is SERVING. */
  get serving(): boolean {
    return this.of(WHOLE_SERVER) === Status.SERVING;
  }

  /** The state of a service by full name, of the whole server by the empty name; `undefined` for an unknown one. */
  of(service: string): Status | undefined {
    return this.#states.get(service);
  }

  /** Every name with its state; {@link WHOLE_SERVER} comes first. */
  entries(): Iterable<[service: string, status: Status]> {
    return this.#states.entries();
  }

  /** Calls `listener` after each change. Returns a function that forgets it. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #setAll(status: Status): void {
    let changed = false;
    for (const [service, before] of this.#states) {
      if (before === status) continue;
      this.#states.set(service, status);
      changed = true;
    }
    if (changed) for (const listener of [...this.#listeners]) listener();
  }
}
