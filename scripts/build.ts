/**
 * Builds dist/: the gateway with all that it needs of node_modules in a few files of JavaScript, which start in less
 * than half the time of the sources. What the sources import when it is wanted stays in files of its own. The stamp
 * is written last; by it bin/lro-gateway knows that dist/ is complete and what the sources say.
 */
import { cpSync, globSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { rolldown } from "rolldown";

/** How long the files of earlier builds stay, ms: a gateway that runs since then loads some of them late, or never. */
const KEEP_MS = 24 * 60 * 60 * 1_000;

process.chdir(join(import.meta.dirname, ".."));
const { stampOf, STAMP } = createRequire(import.meta.url)("../bin/is-built.js") as {
  stampOf(root: string): string;
  STAMP: string;
};

// Taken before the sources are read: one that changes meanwhile makes the stamp wrong, and dist/ is not used.
const stamp = stampOf(".");
rmSync(STAMP, { force: true });
rmSync("dist/.cache", { recursive: true, force: true });
const bundle = await rolldown({
  input: "src/main.ts",
  platform: "node",
  transform: { target: "node22.19" },
  onLog(_level, { message }) {
    throw new Error(message);
  },
});
await bundle.write({
  dir: "dist",
  // CommonJS, because `import "node:http"` makes Node.js load all of its fetch for the sake of one exported name.
  format: "cjs",
  entryFileNames: "[name].cjs",
  chunkFileNames: "[name]-[hash].cjs",
  // Readable, so that a stack trace is; without comments, since the whole text is read at each start.
  comments: { legal: true, annotation: false, jsdoc: false },
});
await bundle.close();
cpSync("src/transcode/rules", "dist/rules", { recursive: true });
for (const file of globSync("dist/*.cjs")) if (statSync(file).mtimeMs < Date.now() - KEEP_MS) rmSync(file);
writeFileSync(STAMP, stamp);
