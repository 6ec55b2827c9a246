/**
 * Builds dist/: JavaScript of src/ and gen/, the data files that lie beside the sources, package.json, and last the
 * stamp by which bin/lro-gateway knows that dist/ is complete and what the sources say.
 */
import { execFileSync } from "node:child_process";
import { cpSync, globSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");
process.chdir(root);
const { stampOf, STAMP } = createRequire(import.meta.url)("../bin/is-built.js") as {
  stampOf(root: string): string;
  STAMP: string;
};

// Taken before the compiler runs: a source that changes meanwhile makes the stamp wrong, and dist/ is not used.
const stamp = stampOf(root);
rmSync("dist", { recursive: true, force: true });
execFileSync("node_modules/.bin/tsc", ["-p", "tsconfig.build.json"], { stdio: "inherit" });
for (const file of ["package.json", ...globSync("src/**/*.{yaml,json}")]) cpSync(file, join("dist", file));
writeFileSync(STAMP, stamp);
