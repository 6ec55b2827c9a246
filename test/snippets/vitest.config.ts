import { defineConfig } from "vitest/config";

/**
 * The programs of docs/waiting.md in languages other than JavaScript, and those of all languages in true times; run by
 * scripts/snippets.sh, which builds them.
 */
export default defineConfig({
  test: {
    include: ["test/snippets/{languages,true-times}.test.ts"],
    testTimeout: 240_000,
    hookTimeout: 60_000,
  },
});
