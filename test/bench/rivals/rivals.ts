import { existsSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TEST_CERTIFICATE, TEST_KEY } from "../../support/tls.ts";
import { type Cell, WIRES } from "../cells.ts";
import type { Command } from "../server-process.ts";
import { writeEnvoyConfig } from "./envoy.ts";

/** A server that the bench measures. */
export interface Rival {
  readonly name: string;
  /** How to start it; `tls` has it speak TLS. */
  readonly command: (upstreamPort: number, tls?: boolean) => Command;
  readonly serves: (cell: Cell) => boolean;
  /** The file without which it cannot be started; `scripts/bench.sh` brings it. */
  readonly needs?: string;
}

const ROOT = join(import.meta.dirname, "../../..");
const CACHE = join(ROOT, ".cache/bench");
const ALL = () => true;
const GRPC = ({ carrier }: Cell) => carrier === "grpc" || carrier === "grpc-tls";
const CLEAR = (cell: Cell) => !WIRES[cell.carrier].tls;

/** The gateway of a checkout, as a user starts it. */
export function gateway(name: string, root: string): Rival {
  return {
    name,
    command: (upstreamPort, tls) => {
      const file = join(directory(), "gateway.yaml");
      const config = {
        listen: "127.0.0.1:0",
        upstream: { endpoint: `http://127.0.0.1:${upstreamPort}`, credentials: "none" },
        ...(tls && { tls: keyPair() }),
      };
      // JSON is YAML, too.
      writeFileSync(file, JSON.stringify(config));
      return { args: [process.execPath, join(root, "bin/lro-gateway"), "serve", "--config", file] };
    },
    serves: ALL,
  };
}

/** Envoy with its transcoder; it takes no port 0 that it would tell of. */
const envoy: Rival = {
  name: "Envoy",
  needs: join(CACHE, "venv/bin/envoy"),
  command: (upstreamPort, tls) => {
    const port = 20_000 + Math.floor(Math.random() * 10_000);
    const file = writeEnvoyConfig(directory(), port, upstreamPort, tls ? keyPair() : undefined);
    const quiet = ["--log-level", "error", "--disable-hot-restart", "--concurrency", "1"];
    return { args: [join(CACHE, "venv/bin/envoy"), "-c", file, ...quiet], port };
  },
  // Its bridge for Connect leaves calls unanswered, so it is measured on the protocols that it has.
  serves: (cell) => GRPC(cell) || cell.carrier === "grpc-web",
};

/** What is measured, in the order of the table. The first is what all others are compared with. */
export const RIVALS: readonly Rival[] = [
  script("raw", "raw.ts", ALL),
  gateway("lro-gateway", ROOT),
  envoy,
  goServer("grpc-go", GRPC),
  goServer("connect-go", ALL),
  goServer("vanguard", ALL),
  script("grpc-js", "grpc-js.ts", (cell) => GRPC(cell) && CLEAR(cell)),
  script("connect-node", "connect-node.ts", CLEAR),
];

/** Whether a rival can be started on this machine. */
export function isInstalled({ needs }: Rival): boolean {
  return needs === undefined || existsSync(needs);
}

function script(name: string, file: string, serves: Rival["serves"]): Rival {
  return {
    name,
    serves,
    command: (port, tls) => ({
      args: [process.execPath, join(import.meta.dirname, file), String(port), ...keyFiles(tls)],
    }),
  };
}

function goServer(name: string, serves: Rival["serves"]): Rival {
  const program = join(CACHE, "bin/rivals");
  return {
    name,
    serves,
    needs: program,
    command: (port, tls) => ({
      args: [program, name, String(port), ...keyFiles(tls)],
      env: { GOMAXPROCS: "1" },
    }),
  };
}

/** Files with the certificate and the key of the servers. */
export interface KeyPair {
  readonly certificate: string;
  readonly key: string;
}

function keyPair(): KeyPair {
  const within = directory();
  const files = { certificate: join(within, "certificate.pem"), key: join(within, "key.pem") };
  writeFileSync(files.certificate, TEST_CERTIFICATE);
  writeFileSync(files.key, TEST_KEY);
  return files;
}

function keyFiles(tls: boolean | undefined): string[] {
  return tls ? Object.values(keyPair()) : [];
}

function directory(): string {
  return mkdtempSync(join(tmpdir(), "bench-"));
}
