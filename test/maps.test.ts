import { globSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { describe, expect, it } from "vitest";

/** The pages inside `src/` that say what each file of their folder is. */
const MAPS = globSync("src/*/README.md");

describe.each(MAPS)("%s", (map) => {
  const folder = dirname(map);
  const files = globSync(join(folder, "**/*.ts")).map((file) => relative(folder, file));
  const rows = readFileSync(map, "utf8").match(/^\|.*/gm) ?? [];
  const named = new Set(rows.flatMap((row) => [...row.matchAll(/`([\w/-]+\.ts)`/g)].map(([, file]) => file)));

  it("says in its tables what each file of its folder is, and names none that is not there", () => {
    expect([...named].sort()).toEqual(files.sort());
  });
});
