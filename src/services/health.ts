import { create } from "@bufbuild/protobuf";
import {
  type Health,
  type HealthCheckResponse,
  HealthCheckResponse_ServingStatus,
  HealthCheckResponseSchema,
  HealthListResponseSchema,
} from "../../gen/grpc/health/v1/health_pb.ts";
import { gatewayError } from "../errors/reasons.ts";
import { echo } from "../lib/echo.ts";
import type { ResponseStream, ServiceHandlers } from "../rpc/handler.ts";
import type { HealthState } from "./health-state.ts";

/**
 * The handlers of `grpc.health.v1.Health` over a {@link HealthState}, as the health checking protocol has it
 * (https://github.com/grpc/grpc/blob/master/doc/health-checking.md): `Check` of an unknown name fails with NOT_FOUND,
 * while `Watch` tells SERVICE_UNKNOWN and goes on.
 *
 * `List` never has to fail with RESOURCE_EXHAUSTED (gRFC A90, more than 100 names): the names are the services that
 * this process serves.
 */
export function createHealthHandlers(state: HealthState): ServiceHandlers<typeof Health> {
  return {
    check({ service }) {
      const status = state.of(service);
      if (status === undefined)
        throw gatewayError(
          "HEALTH_NAME_UNKNOWN",
          `no service ${echo(service)} here; ask for the empty name, which stands for the whole server`,
        );
      return create(HealthCheckResponseSchema, { status });
    },
    list() {
      const answer = create(HealthListResponseSchema);
      for (const [service, status] of state.entries())
        answer.statuses[service] = create(HealthCheckResponseSchema, { status });
      return answer;
    },
    watch: ({ service }) => new HealthWatch(state, service),
  };
}

/** The states of one service: the present one at once, then the latest after each change. */
class HealthWatch implements ResponseStream<HealthCheckResponse> {
  /** A watch ends with its caller or with the connection, never by itself. */
  readonly end = undefined;
  readonly #state: HealthState;
  readonly #service: string;
  #told: HealthCheckResponse_ServingStatus | undefined;
  #forget: (() => void) | undefined;

  constructor(state: HealthState, service: string) {
    this.#state = state;
    this.#service = service;
  }

  open(wake: () => void): void {
    this.#forget = this.#state.onChange(wake);
  }

  pull(): HealthCheckResponse | undefined {
    const status = this.#state.of(this.#service) ?? HealthCheckResponse_ServingStatus.SERVICE_UNKNOWN;
    if (status === this.#told) return undefined;
    this.#told = status;
    return create(HealthCheckResponseSchema, { status });
  }

  close(): void {
    this.#forget?.();
  }
}
