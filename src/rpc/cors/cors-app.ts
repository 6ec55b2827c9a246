import { gatewayError } from "../../errors/reasons.ts";
import { IGNORE_REQUEST } from "../../lib/ignore-request.ts";
import type { App, TransportCall } from "../../listen/transport.ts";
import { findWire } from "../content-type.ts";
import { ORIGIN_DENIED } from "../http-refusal.ts";
import type { Path } from "../path.ts";
import { failUnopened, refuse } from "../unopened.ts";
import { CorsCall } from "./cors-call.ts";
import { type CorsPolicy, judgeOrigin } from "./policy.ts";

/** Serves an app to those web pages too that the policy lets in. Requests without an `Origin` pass as they are. */
export function createCorsApp(policy: CorsPolicy, path: Path, app: App): App {
  return (carrier) => {
    const verdict = judgeOrigin(policy, carrier.verb, carrier.headers);
    if (verdict === undefined) app(carrier);
    else if (verdict.kind === "served") app(new CorsCall(carrier, verdict.headers));
    else if (verdict.kind === "preflight") {
      carrier.receive(IGNORE_REQUEST);
      carrier.answer(204, verdict.headers);
    } else deny(path, carrier);
  };
}

/** A page that may not call is told so in its protocol, without the headers that would let it read that. */
function deny(path: Path, carrier: TransportCall): void {
  const wire = carrier.verb === "POST" ? findWire(carrier.headers["content-type"]) : undefined;
  if (!wire) {
    refuse(path, carrier, ORIGIN_DENIED);
    return;
  }
  const error = gatewayError(
    "ORIGIN_NOT_ALLOWED",
    "web pages of this origin may not call the gateway; list it in cors.allowed_origins if they should",
  );
  failUnopened(path, carrier, wire, error);
}
