import { join } from "node:path";
import type { Program } from "./scenarios.ts";

/** What scripts/snippets.sh has built, and where. */
const { SNIPPETS_PYTHON: python, SNIPPETS_GO: goBinaries, SNIPPETS_DIRECTORY: built = "" } = process.env;

/** The program of this name in Python and Go, as far as they are on this machine. */
export function programsOf(name: string): Program[] {
  const all: Program[] = [];
  if (python)
    all.push({ title: `${name}.py`, command: python, args: [join(built, `${name}.py`)], protocol: "grpc" });
  if (goBinaries)
    all.push({ title: `${name}/main.go`, command: join(goBinaries, name), args: [], protocol: "grpc" });
  return all;
}

/** A program for Node.js, or a browser's on Node.js' fetch, in a directory of written snippets. */
export function nodeProgram(directory: string, file: string): Program {
  const path = join(directory, file);
  const browser = file === "watch-browser.mjs";
  return {
    title: file,
    command: process.execPath,
    args: browser ? [join(import.meta.dirname, "run-browser.ts"), path] : [path],
    protocol: browser ? "connect" : "grpc",
  };
}
