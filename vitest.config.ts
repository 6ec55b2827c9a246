import { join } from "node:path";
import { defineConfig } from "vitest/config";

/** Hostile callers; minutes of floods and silence, so `npm run attacks` runs them and not `npm test`. */
const ATTACKS = ["test/attacks/**/*.test.ts"];

/** Suites with scripts of their own. */
const LONG = ["test/{clients,conformance,bench}/**", "test/snippets/{languages,true-times}.test.ts"];

export default defineConfig({
  test: {
    // What is stuck, not what is slow: on a machine that does ten things at once, all takes ten times as long.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    expect: { poll: { timeout: 30_000, interval: 20 } },
    pool: "forks",
    // Many of the tests wait for sockets and processes; one worker per core would leave the cores idle meanwhile.
    // On two cores three workers take 92 s and five 70 s, which leave nothing for what else runs there.
    maxWorkers: 4,
    // The programs that tests start load the same modules again and again.
    env: { NODE_COMPILE_CACHE: join(import.meta.dirname, "node_modules/.cache/lro-gateway-tests") },
    // What tests start as a process is the build of the sources as they are now.
    globalSetup: "test/support/built.ts",
    projects: [
      {
        extends: true,
        test: {
          name: "tests",
          include: ["test/**/*.test.ts"],
          exclude: [...ATTACKS, ...LONG],
          // The modules of one file serve the next, which saves a third of the CPU of them all.
          isolate: false,
        },
      },
      {
        extends: true,
        test: { name: "attacks", include: ATTACKS },
      },
    ],
  },
});
