/**
 * Enforces the import rule of ARCHITECTURE.md: a stage imports only stages below it, as do the folders of one, and each
 * wrapped third-party package has one home. Exits 1 and names each offending import.
 */
import { globSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";

/** Top to bottom: the order in which a call passes through the process. */
const STAGES = [
  "main.ts",
  "cli",
  "gateway.ts",
  "gateway",
  "emulator",
  "listen",
  "rpc",
  "services",
  "operations",
  "waiting",
  "upstream",
  "transcode",
  "observe",
  "errors",
  "config",
  "lib",
];

/** Stages that know nothing of their neighbours, and what they may import all the same. */
const ISOLATED: Record<string, readonly string[]> = {
  emulator: ["lib"],
};

/** Imports upward that are types of a shared seam; nothing of them exists at run time. */
const TYPE_SEAMS: Record<string, readonly string[]> = {
  rpc: ["listen"],
  services: ["rpc", "listen"],
  operations: ["rpc"],
  waiting: ["rpc"],
};

/** Inside a stage: the same order of its folders, as its README.md draws it, and what may be imported all the same. */
const FOLDERS: Record<string, readonly string[]> = {
  waiting: ["cancel", "deliver", "share", "schedule", "facts"],
};
const FOLDER_SEAMS: readonly string[] = ["src/waiting/deliver/delivery.ts"];

/** Third-party packages that do not cross their wrapper. */
const HOMES: Record<string, readonly string[]> = {
  undici: ["upstream"],
  "google-auth-library": ["upstream"],
  "node:http2": ["listen"],
  "@connectrpc/connect-node": ["rpc", "cli"],
  pino: ["observe"],
  "prom-client": ["observe"],
  commander: ["cli", "main.ts"],
  yaml: ["config", "transcode"],
  zod: ["config"],
};

const problems: string[] = [];
for (const file of globSync("src/**/*.ts").sort()) {
  const stage = stageOf(file);
  const text = readFileSync(file, "utf8");
  for (const match of text.matchAll(
    /^(?:import|export)\s+(type\s)?[^"';]*?from\s+"([^"]+)"|^import\s+"([^"]+)"|import\("([^"]+)"\)/gm,
  )) {
    const specifier = match[2] ?? match[3] ?? match[4] ?? "";
    const typeOnly = match[1] !== undefined;
    const problem = specifier.startsWith(".")
      ? checkStage(file, stage, specifier, typeOnly)
      : checkHome(stage, specifier);
    if (problem) problems.push(`${file}: ${problem}`);
  }
}
for (const problem of problems) console.error(problem);
process.exit(problems.length > 0 ? 1 : 0);

function stageOf(file: string): string {
  return file.split("/")[1] ?? file;
}

function checkStage(file: string, stage: string, specifier: string, typeOnly: boolean): string | undefined {
  const target = normalize(join(dirname(file), specifier));
  if (!target.startsWith("src/"))
    return target.startsWith("gen/") || target === "package.json"
      ? undefined
      : `imports ${target} from outside src/ and gen/`;
  const other = stageOf(target);
  if (other === stage) return checkFolder(file, target);
  const from = STAGES.indexOf(stage);
  const to = STAGES.indexOf(other);
  if (from < 0 || to < 0) return `stage ${from < 0 ? stage : other} has no place in STAGES`;
  const isolated = ISOLATED[stage];
  if (isolated && !isolated.includes(other)) return `${stage}/ stands alone and may not import ${other}/`;
  if (from < to) return undefined;
  if (typeOnly && TYPE_SEAMS[stage]?.includes(other)) return undefined;
  return `${stage}/ may not import ${other}/, which stands above it`;
}

function checkFolder(file: string, target: string): string | undefined {
  const [, stage = "", folder = ""] = file.split("/");
  const other = target.split("/")[2] ?? "";
  const order = FOLDERS[stage];
  if (!order?.includes(folder) || !order.includes(other) || FOLDER_SEAMS.includes(target)) return undefined;
  return order.indexOf(folder) <= order.indexOf(other)
    ? undefined
    : `${stage}/${folder}/ may not import ${stage}/${other}/, which stands above it`;
}

function checkHome(stage: string, specifier: string): string | undefined {
  const homes = HOMES[specifier];
  return homes && !homes.includes(stage) ? `${specifier} belongs to ${homes.join(", ")}` : undefined;
}
