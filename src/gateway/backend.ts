import type { Config, UpstreamConfig } from "../config/config.ts";
import { ConfigurationRefused } from "../config/problem.ts";
import { causeOf } from "../errors/failure-facts.ts";
import type { Metrics } from "../observe/metrics.ts";
import type { Bindings } from "../transcode/bindings.ts";
import { loadBindings } from "../transcode/load-bindings.ts";
import { asProblem } from "../transcode/rule-problem.ts";
import { openUpstream, type Upstream } from "../upstream/open-upstream.ts";
import type { GatewayParts } from "./parts.ts";

/** Compiles the rules and opens the upstream: all that can be refused before the port is opened. */
export function openBackend(
  { upstream: config }: Config,
  parts: GatewayParts,
  metrics?: Pick<Metrics, "upstreamRequest">,
): Upstream {
  const { endpoint = "" } = config;
  const bindings = compileRules(config);
  for (const { source, line, path, reason } of bindings.warnings)
    parts.log.warn("an HTTP rule is left out", { source, line, path, reason });
  if (lacksScope(config)) parts.log.warn("the token is for Cloud Healthcare alone: set upstream.scope");
  const upstream = openUpstream(
    { ...config, endpoint },
    {
      ...parts,
      transcoder: bindings,
      ...(metrics && { onAttempt: (verb, outcome, ms) => metrics.upstreamRequest(verb, outcome, ms) }),
      onTokenFailure: (failure) =>
        parts.log.warn("no token for the upstream", {
          kind: failure.kind,
          detail: failure.message,
          cause: causeOf(failure),
        }),
    },
  );
  if ("api" in upstream) return upstream;
  throw new ConfigurationRefused(
    upstream.problems.map(({ path, message }) =>
      // The proxies have no keys of their own; their variables stand for them.
      path.includes(".") ? { where: "default", path, message } : { where: path, path: undefined, message },
    ),
  );
}

/** Whether another API is called with a token that only Cloud Healthcare takes, so that each call would be a 403. */
function lacksScope({ credentials, endpoint = "", rules, scope }: UpstreamConfig): boolean {
  const otherApi = rules !== undefined && !endpoint.includes("healthcare");
  return otherApi && credentials === "adc" && (scope === undefined || scope === "cloud-healthcare");
}

/** Reads and compiles the HTTP rules that the configuration asks for. Throws {@link ConfigurationRefused}. */
export function compileRules(config: UpstreamConfig): Bindings {
  const bindings = loadBindings(config);
  if (bindings.ok) return bindings.value;
  throw new ConfigurationRefused(bindings.problems.map(asProblem));
}
