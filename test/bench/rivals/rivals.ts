import { existsSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Cell } from "../cells.ts";
import type { Command } from "../server-process.ts";
import { writeEnvoyConfig } from "./envoy.ts";

/** A server that the bench measures. */
export interface Rival {
  readonly name: string;
  readonly command: (upstreamPort: number) => Command;
  readonly serves: (cell: Cell) => boolean;
  /** The file without which it cannot be started; `scripts/bench.sh` brings it. */
  readonly needs?: string;
}

const ROOT = join(import.meta.dirname, "../../..");
const CACHE = join(ROOT, ".cache/bench");
const ALL = () => true;
const GRPC = ({ carrier }: Cell) => carrier === "grpc";

/** The gateway of a checkout, as a user starts it. */
export function gateway(name: string, root: string): Rival {
  return {
    name,
    command: (upstreamPort) => {
      const file = join(directory(), "gateway.yaml");
      writeFileSync(
        file,
        `listen: 127.0.0.1:0\nupstream:\n  endpoint: http://127.0.0.1:${upstreamPort}\n  credentials: none\n`,
      );
      return { args: [process.execPath, join(root, "bin/lro-gateway"), "serve", "--config", file] };
    },
    serves: ALL,
  };
}

/** Envoy with its transcoder; it takes no port 0 that it would tell of. */
const envoy: Rival = {
  name: "Envoy",
  needs: join(CACHE, "venv/bin/envoy"),
  command: (upstreamPort) => {
    const port = 20_000 + Math.floor(Math.random() * 10_000);
    const file = writeEnvoyConfig(directory(), port, upstreamPort);
    const quiet = ["--log-level", "error", "--disable-hot-restart", "--concurrency", "1"];
    return { args: [join(CACHE, "venv/bin/envoy"), "-c", file, ...quiet], port };
  },
  // Its bridge for Connect leaves calls unanswered, so it is measured on the protocols that it has.
  serves: ({ carrier }) => carrier === "grpc" || carrier === "grpc-web",
};

/** What is measured, in the order of the table. The first is what all others are compared with. */
export const RIVALS: readonly Rival[] = [
  script("raw", "raw.ts", ALL),
  gateway("lro-gateway", ROOT),
  envoy,
  goServer("grpc-go", GRPC),
  goServer("connect-go", ALL),
  goServer("vanguard", ALL),
  script("grpc-js", "grpc-js.ts", GRPC),
  script("connect-node", "connect-node.ts", ALL),
];

/** Whether a rival can be started on this machine. */
export function isInstalled({ needs }: Rival): boolean {
  return needs === undefined || existsSync(needs);
}

function script(name: string, file: string, serves: Rival["serves"]): Rival {
  return {
    name,
    serves,
    command: (port) => ({ args: [process.execPath, join(import.meta.dirname, file), String(port)] }),
  };
}

function goServer(name: string, serves: Rival["serves"]): Rival {
  const program = join(CACHE, "bin/rivals");
  return {
    name,
    serves,
    needs: program,
    command: (port) => ({ args: [program, name, String(port)], env: { GOMAXPROCS: "1" } }),
  };
}

function directory(): string {
  return mkdtempSync(join(tmpdir(), "bench-"));
}
