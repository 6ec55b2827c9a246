import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ROOT } from "./cli-process.ts";

const { isBuilt } = createRequire(import.meta.url)("../../bin/is-built.js") as {
  isBuilt(root: string): boolean;
};

/** Called by vitest before the first test: what tests start as a process is the build of these sources. */
export default function build(): void {
  if (!isBuilt(ROOT)) execFileSync(process.execPath, [join(ROOT, "scripts/build.ts")], { stdio: "inherit" });
}

/** An installation of the gateway in a directory of its own, until disposed of. */
export interface Installation extends Disposable {
  readonly launcher: string;
}

/** What an image needs: the build and its launcher, no node_modules and no sources. */
export function installBuild(): Installation {
  return install((directory) => cpSync(join(ROOT, "dist"), join(directory, "dist"), { recursive: true }));
}

/** A checkout that nobody has built. */
export function installSources(): Installation {
  return install((directory) => {
    for (const name of ["src", "gen", "node_modules"]) symlinkSync(join(ROOT, name), join(directory, name));
  });
}

function install(fill: (directory: string) => void): Installation {
  const directory = mkdtempSync(join(tmpdir(), "lro-installed-"));
  for (const name of ["bin", "package.json"])
    cpSync(join(ROOT, name), join(directory, name), { recursive: true });
  fill(directory);
  return {
    launcher: join(directory, "bin", "lro-gateway"),
    [Symbol.dispose]: () => rmSync(directory, { recursive: true }),
  };
}
