import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { ROOT } from "../support/cli-process.ts";
import { type GatewayOnEmulator, startGatewayOnEmulator } from "../support/gateway-on-emulator.ts";

/** The pages with programs. */
const PAGES = ["waiting.md", "types.md"];

/** The programs in them, by the file name that the comment above each gives it. */
export function readSnippets(): ReadonlyMap<string, string> {
  const found = readPages().matchAll(/^<!-- snippet: (\S+) -->\n```\w+\n(.*?)^```$/gms);
  return new Map([...found].map(([, file = "", code = ""]) => [file, code]));
}

/** How many programs the pages hold, found by their fences alone. */
export function countPrograms(): number {
  return [...readPages().matchAll(/^```(?:js|ts|python|go)$/gm)].length;
}

function readPages(): string {
  return PAGES.map((page) => readFileSync(join(ROOT, "docs", page), "utf8")).join("\n");
}

/** Writes the programs into a fresh directory below .cache, beside the generated code that they import. */
export function writeSnippets(directory: string): string {
  const path = join(ROOT, ".cache", "snippets", directory);
  rmSync(path, { recursive: true, force: true });
  for (const [file, code] of readSnippets()) {
    mkdirSync(dirname(join(path, file)), { recursive: true });
    writeFileSync(join(path, file), code);
  }
  symlinkSync(join(ROOT, "gen"), join(path, "gen"));
  return path;
}

/** A gateway that ends its streams every second, so that no program gets to the end without attaching again. */
export function startRestless(): Promise<GatewayOnEmulator> {
  return startGatewayOnEmulator({ "waiting.max_stream_age": "1s", "waiting.heartbeat": "200ms" });
}
