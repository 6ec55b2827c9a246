import { defineConfig } from "vitest/config";

/** Other people's tools against a gateway process; run by scripts/tools.sh, which builds them first. */
export default defineConfig({
  test: {
    include: ["test/tools/*.tools.ts"],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    pool: "forks",
    // Each file has a gateway of its own, and two cores carry two.
    maxWorkers: 2,
  },
});
