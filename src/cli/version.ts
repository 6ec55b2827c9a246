import { readFileSync } from "node:fs";

/** The version in package.json. */
export function packageVersion(): string {
  // Beside src/ in the repository, and copied beside dist/src/ by the build.
  const file = new URL("../../package.json", import.meta.url);
  const content: unknown = JSON.parse(readFileSync(file, "utf8"));
  return typeof content === "object" && content !== null && "version" in content
    ? String(content.version)
    : "unknown";
}
