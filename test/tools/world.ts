import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { OperationSpec } from "../../src/emulator/operation-spec.ts";
import { startEmulator } from "../../src/emulator/start-emulator.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { type CliProcess, ROOT, startServe } from "../support/cli-process.ts";
import { TEST_CERTIFICATE, TEST_KEY } from "../support/tls.ts";

/** The page that may call the gateway from a browser. */
export const ORIGIN = "https://console.example.com";

/** The dataset that the operations of a world are in. */
export const DATASET = "projects/tools/locations/us-central1/datasets/tools";

/** Methods by the name that goes on the wire. */
export const GET = "google.longrunning.Operations/GetOperation";
export const LIST = "google.longrunning.Operations/ListOperations";
export const CANCEL = "google.longrunning.Operations/CancelOperation";
export const WAIT = "google.longrunning.Operations/WaitOperation";
export const WATCH = "lrogateway.v1.OperationWatcher/WatchOperation";

/** Stands in every metadata of Healthcare's. */
export const METADATA_TYPE = "type.googleapis.com/google.cloud.healthcare.v1.OperationMetadata";

/** A gateway process, as users start it, on an emulator in this process. */
export interface World {
  /** `host:port`, which takes clear text and TLS. */
  readonly address: string;
  /** File with the certificate to trust; it is for `localhost` and 127.0.0.1. */
  readonly certificate: string;
  /** Makes an operation in {@link DATASET} and returns its name. */
  create(spec: Partial<OperationSpec>): string;
  readonly gateway: CliProcess;
  close(): Promise<void>;
}

/** Starts a gateway process with TLS, clear text and one allowed origin, and further flags. */
export async function startWorld(...flags: string[]): Promise<World> {
  const directory = mkdtempSync(join(tmpdir(), "lro-tools-"));
  const certificate = join(directory, "server.crt");
  const key = join(directory, "server.key");
  writeFileSync(certificate, TEST_CERTIFICATE);
  writeFileSync(key, TEST_KEY);
  const { endpoint, emulator, close } = await startEmulator({ clock: systemClock, listen: "127.0.0.1:0" });
  emulator.createDataset(DATASET);
  const gateway = await startServe([
    ...["--upstream-endpoint", endpoint, "--upstream-credentials", "none"],
    ...["--tls-certificate", certificate, "--tls-key", key],
    ...["--cors-allowed-origins", ORIGIN, "--log-access=false"],
    ...flags,
  ]);
  return {
    address: gateway.address,
    certificate,
    gateway,
    create: (spec) => emulator.createOperation({ dataset: DATASET, ...spec }),
    async close() {
      // A second signal would end it without a drain.
      if (!gateway.child.killed) gateway.child.kill("SIGTERM");
      const { code, stderr } = await gateway.ended;
      await close();
      rmSync(directory, { recursive: true });
      if (code !== 0) throw new Error(`the gateway ended with ${code}:\n${stderr}`);
    },
  };
}

/** What a tool wrote and its exit code. */
export interface Run {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a tool to its end, whatever its exit code. Throws when there is no such tool. */
export function run(tool: string, ...args: string[]): Promise<Run> {
  return new Promise((resolve, reject) => {
    execFile(tool, args, { cwd: ROOT, timeout: 50_000, maxBuffer: 2 ** 24 }, (error, stdout, stderr) => {
      const code = error === null ? 0 : error.code;
      // Text for what the system says of a program that cannot be run, null for one that was killed.
      if (typeof code === "number") resolve({ code, stdout, stderr });
      else reject(new Error(`${tool} ${args.join(" ")}\n${stdout}\n${stderr}`, { cause: error }));
    });
  });
}

/** The JSON documents that a tool printed one after another. */
export function documents(text: string): unknown[] {
  return text
    .split(/(?<=^\})\n|(?<=\})\n(?=\{)/m)
    .filter((part) => part.trim() !== "")
    .map((part) => JSON.parse(part) as unknown);
}
