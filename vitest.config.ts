import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    exclude: [
      "test/clients/**",
      "test/snippets/{languages,true-times}.test.ts",
      "test/conformance/**",
      "test/bench/**",
    ],
    globalSetup: "test/support/built.ts",
    testTimeout: 20_000,
    pool: "forks",
    // Many of the tests wait for sockets and processes; one worker per core would leave the cores idle meanwhile.
    maxWorkers: 3,
  },
});
