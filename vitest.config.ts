import { join } from "node:path";
import { defineConfig } from "vitest/config";

/** Tests that start processes, measure this one (its memory, its event loop), or change what all of it shares. */
const ALONE = ["test/{cli,incident,snippets}/**/*.test.ts", "test/emulator/start-emulator.test.ts"];

export default defineConfig({
  test: {
    testTimeout: 20_000,
    hookTimeout: 20_000,
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
          exclude: [...ALONE, "test/{clients,conformance,bench}/**"],
          // The modules of one file serve the next, which saves a third of the CPU of them all.
          isolate: false,
        },
      },
      {
        extends: true,
        test: {
          name: "alone",
          include: ALONE,
          exclude: ["test/snippets/{languages,true-times}.test.ts"],
          globalSetup: "test/support/built.ts",
        },
      },
    ],
  },
});
