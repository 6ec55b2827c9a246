import { defineConfig } from "vitest/config";

/** The programs of docs/waiting.md in languages other than JavaScript; run by scripts/snippets.sh, which builds them. */
export default defineConfig({
  test: { include: ["test/snippets/languages.test.ts"], testTimeout: 120_000, hookTimeout: 60_000 },
});
