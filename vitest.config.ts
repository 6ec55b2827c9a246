import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    exclude: ["test/clients/**", "test/snippets/languages.test.ts", "test/conformance/**", "test/bench/**"],
    testTimeout: 20_000,
    pool: "forks",
  },
});
