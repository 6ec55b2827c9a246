import { defineConfig } from "vitest/config";

/** Google's own clients against a gateway process; run by scripts/clients.sh, which builds them first. */
export default defineConfig({
  test: { include: ["test/clients/*.test.ts"], testTimeout: 120_000, hookTimeout: 60_000 },
});
