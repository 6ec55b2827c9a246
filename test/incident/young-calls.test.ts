import { execFileSync } from "node:child_process";
import { expect, it } from "vitest";

/** Prints how many bytes a collection of the young generation leaves of 8 MB that stood in a list, and left it. */
const PROGRAM = `
import { LinkedList } from ${JSON.stringify(new URL("../../src/lib/linked-list.ts", import.meta.url))};
const kept = () => {
  gc({ type: "minor" });
  gc({ type: "minor" });
  return process.memoryUsage().heapUsed;
};
const list = new LinkedList();
for (let round = 0; round < 10; round++) {
  for (let i = 0; i < 2_000; i++) list.add(undefined);
  kept();
}
const before = kept();
for (let i = 0; i < 1_000; i++) list.remove(list.add(new Array(1_000).fill(i)));
console.log(kept() - before);
`;

/**
 * In the first second of a gateway all its calls wait for connections, so all that belongs to them survives. V8 then made
 * the links of each later call in the old generation, and half of all garbage was kept with them until the next full
 * collection: a third of the CPU of a cancel.
 */
it("does not keep calls that are over because those of the first second were all under way", () => {
  // V8 draws the conclusion once the young generation has its full size: here at once.
  const flags = ["--max-semi-space-size=1", "--expose-gc", "--input-type=module", "-e", PROGRAM];
  const kept = Number(execFileSync(process.execPath, flags, { encoding: "utf8" }));
  expect(kept).toBeLessThan(1_000_000);
});
