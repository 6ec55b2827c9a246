import type { ConnectError } from "@connectrpc/connect";
import { finishError, REQUEST_ID_HEADER } from "../errors/fit.ts";
import { IGNORE_REQUEST } from "../lib/ignore-request.ts";
import type { TransportCall } from "../listen/transport.ts";
import type { Wire } from "./content-type.ts";
import type { HttpRefusal } from "./http-refusal.ts";
import type { Path } from "./path.ts";
import { requestIdOf } from "./request-id.ts";

/** Answers in HTTP what is no RPC yet. */
export function refuse(path: Path, carrier: TransportCall, why: HttpRefusal): void {
  const requestId = requestIdOf(carrier.headers[REQUEST_ID_HEADER], path.requestIds);
  const headers = { ...why.headers, [REQUEST_ID_HEADER]: requestId };
  carrier.receive(IGNORE_REQUEST);
  carrier.answer(why.httpStatus, headers, why.body);
  path.stages.refused?.(carrier, why, requestId);
}

/** Answers a call that is never opened with an error in its own protocol. */
export function failUnopened(path: Path, carrier: TransportCall, wire: Wire, why: ConnectError): void {
  const { protocol, contentType } = wire;
  const requestId = requestIdOf(carrier.headers[REQUEST_ID_HEADER], path.requestIds);
  const finished = finishError(why, requestId);
  const error = path.stages.amendError?.(finished) ?? finished;
  carrier.receive(IGNORE_REQUEST);
  protocol.fail({ carrier, contentType, registry: path.registry }, error);
  path.stages.refused?.(carrier, error, requestId);
}
