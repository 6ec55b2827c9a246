import { globSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { describe, expect, it } from "vitest";

/** The pages inside `src/` that say what each file of their folder is. */
const MAPS = globSync("src/*/README.md");

describe.each(MAPS)("%s", (map) => {
  const folder = dirname(map);
  const files = globSync(join(folder, "**/*.ts")).map((file) => relative(folder, file));
  const named = [...readFileSync(map, "utf8").matchAll(/^\| `([\w/-]+\.ts)` \|/gm)].map(([, file]) => file);

  it("has one row for each file of its folder, and none for a file that is not there", () => {
    expect(named.toSorted()).toEqual(files.toSorted());
  });
});
