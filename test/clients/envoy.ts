import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** An Envoy in front of a gateway, as a service mesh has it. */
export interface RunningEnvoy {
  readonly address: string;
  /** How many connections it has opened to its gateways so far. */
  connections(): Promise<number>;
  close(): Promise<void>;
}

/** How often Envoy calls again. Its policy knows no `maxAttempts`: this many beside the first. */
const NUM_RETRIES = 2;

/** What Envoy is configured for, beside its retry policy. */
export interface EnvoyOptions {
  /** Timeout of its route. Default: none. */
  readonly timeout?: string;
  /** Asks each gateway five times a second by grpc.health.v1 whether calls should be sent there. Default false. */
  readonly healthChecks?: boolean;
}

/**
 * Starts Envoy before these gateways with a retry policy for gRPC's UNAVAILABLE, which it reads from the header block
 * of the answer alone.
 */
export async function startEnvoy(
  program: string,
  gateways: readonly string[],
  options: EnvoyOptions = {},
): Promise<RunningEnvoy> {
  const directory = mkdtempSync(join(tmpdir(), "lro-envoy-"));
  const addressFile = join(directory, "admin");
  const config = join(directory, "envoy.json");
  writeFileSync(config, JSON.stringify(configuration(gateways, options)));
  const args = [
    "-c",
    config,
    "--admin-address-path",
    addressFile,
    "--use-dynamic-base-id",
    "--concurrency",
    "1",
  ];
  const child = spawn(program, [...args, "-l", "error"], { stdio: ["ignore", "ignore", "inherit"] });
  const address = await listenerAddress(child, addressFile);
  return {
    address,
    async connections() {
      const page = await fetch(`http://${readFileSync(addressFile, "utf8").trim()}/stats?format=json`);
      const { stats } = (await page.json()) as { stats: { name?: string; value?: number }[] };
      return stats.find(({ name }) => name === "cluster.gateway.upstream_cx_total")?.value ?? 0;
    },
    async close() {
      const gone = once(child, "exit");
      child.kill("SIGTERM");
      await gone;
      rmSync(directory, { recursive: true });
    },
  };
}

/** Asks Envoy's admin page for the port that it has taken. */
async function listenerAddress(child: ChildProcess, adminFile: string): Promise<string> {
  for (;;) {
    if (child.exitCode !== null) throw new Error(`Envoy has ended with ${child.exitCode}`);
    try {
      const admin = `http://${readFileSync(adminFile, "utf8").trim()}`;
      // It listens once it has asked for the health of its gateways.
      if (!(await fetch(`${admin}/ready`)).ok) throw new Error("not ready yet");
      const page = await fetch(`${admin}/listeners?format=json`);
      const { listener_statuses: [listener] = [] } = (await page.json()) as Listeners;
      if (listener) return `127.0.0.1:${listener.local_address.socket_address.port_value}`;
    } catch {
      // It has not written its address yet, or does not answer there yet, or does not listen.
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

interface Listeners {
  readonly listener_statuses?: readonly [
    { readonly local_address: { readonly socket_address: { readonly port_value: number } } }?,
  ];
}

function configuration(gateways: readonly string[], options: EnvoyOptions): unknown {
  const extension = "type.googleapis.com/envoy.extensions";
  const local = (port: number) => ({ socket_address: { address: "127.0.0.1", port_value: port } });
  const retryPolicy = {
    retry_on: "unavailable",
    num_retries: NUM_RETRIES,
    // Waits as long as the gateway asks for; its own back-off is 25 ms.
    rate_limited_retry_back_off: { reset_headers: [{ name: "retry-after", format: "SECONDS" }] },
  };
  const route = { cluster: "gateway", timeout: options.timeout ?? "0s", retry_policy: retryPolicy };
  const manager = {
    "@type": `${extension}.filters.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: "rpc",
    codec_type: "HTTP2",
    route_config: {
      virtual_hosts: [{ name: "all", domains: ["*"], routes: [{ match: { prefix: "/" }, route }] }],
    },
    http_filters: [
      {
        name: "envoy.filters.http.router",
        typed_config: { "@type": `${extension}.filters.http.router.v3.Router` },
      },
    ],
  };
  const filters = [{ name: "envoy.filters.network.http_connection_manager", typed_config: manager }];
  const protocol = {
    "@type": `${extension}.upstreams.http.v3.HttpProtocolOptions`,
    explicit_http_config: { http2_protocol_options: {} },
  };
  const endpoints = gateways.map((address) => ({
    endpoint: { address: local(Number(address.split(":")[1])) },
  }));
  const healthCheck = {
    timeout: "1s",
    interval: "0.2s",
    no_traffic_interval: "0.2s",
    unhealthy_threshold: 1,
    healthy_threshold: 1,
    grpc_health_check: {},
  };
  return {
    admin: { address: local(0) },
    static_resources: {
      listeners: [{ name: "rpc", address: local(0), filter_chains: [{ filters }] }],
      clusters: [
        {
          name: "gateway",
          type: "STATIC",
          typed_extension_protocol_options: {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": protocol,
          },
          load_assignment: { cluster_name: "gateway", endpoints: [{ lb_endpoints: endpoints }] },
          health_checks: options.healthChecks ? [healthCheck] : [],
        },
      ],
    },
  };
}
