import { join } from "node:path";
import { defineConfig } from "vitest/config";

/** Tests of whole processes, most of which run the build. */
const PROCESSES = ["test/{cli,snippets}/**/*.test.ts"];

/** Tests that measure their own process: its memory, its event loop. */
const ALONE = ["test/incident/**/*.test.ts", "test/emulator/start-emulator.test.ts"];

/** Hostile callers; minutes of floods and silence, so `npm run attacks` runs them and not `npm test`. */
const ATTACKS = ["test/attacks/**/*.test.ts"];

export default defineConfig({
  test: {
    // What is stuck, not what is slow: on a machine that does ten things at once, all takes ten times as long.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    expect: { poll: { timeout: 30_000, interval: 20 } },
    pool: "forks",
    // Many of the tests wait for sockets and processes; one worker per core would leave the cores idle meanwhile.
    maxWorkers: 3,
    // The programs that tests start load the same modules again and again.
    env: { NODE_COMPILE_CACHE: join(import.meta.dirname, "node_modules/.cache/lro-gateway-tests") },
    projects: [
      {
        extends: true,
        test: {
          name: "together",
          include: ["test/**/*.test.ts"],
          exclude: [...PROCESSES, ...ALONE, ...ATTACKS, "test/{clients,conformance,bench}/**"],
          // The modules of one file serve the next, which saves a third of the CPU of them all.
          isolate: false,
        },
      },
      {
        extends: true,
        test: {
          name: "processes",
          include: PROCESSES,
          exclude: ["test/snippets/{languages,true-times}.test.ts"],
          globalSetup: "test/support/built.ts",
          isolate: false,
        },
      },
      {
        extends: true,
        test: { name: "alone", include: ALONE, globalSetup: "test/support/built.ts" },
      },
      {
        extends: true,
        test: { name: "attacks", include: ATTACKS, globalSetup: "test/support/built.ts" },
      },
    ],
  },
});
