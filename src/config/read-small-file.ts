import { readFileSync } from "node:fs";

/** Largest file that is read whole at start (configuration, rules, tokens): real ones have a few kilobytes. */
const MAX_BYTES = 1024 * 1024;

/** Why a file cannot be read, by the error code of the system, in words that say what to do. */
const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  EISDIR: "it is a directory",
  EACCES: "permission denied",
  ENOTDIR: "a part of its path is not a directory",
};

/** Reads a small UTF-8 file. The problem completes "cannot read …: ". */
export function readSmallFile(path: string): { readonly text: string } | { readonly problem: string } {
  try {
    const bytes = readFileSync(path);
    if (bytes.length > MAX_BYTES)
      return { problem: `it has ${bytes.length} bytes; at most ${MAX_BYTES} are accepted` };
    return { text: new TextDecoder("utf-8", { fatal: true }).decode(bytes) };
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    if (code === "ERR_ENCODING_INVALID_ENCODED_DATA") return { problem: "it is not UTF-8 text" };
    return { problem: REASONS[code] ?? `the system says ${code || "nothing"}` };
  }
}
