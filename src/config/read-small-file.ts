import { closeSync, fstatSync, openSync, readSync, statSync } from "node:fs";

/**
 * Largest file that is read whole (configuration, rules, tokens, certificates, keys), bytes: real ones have a few
 * kilobytes, and what has no end must not hang the start.
 */
const SMALL_FILE_BYTES = 1024 * 1024;

/** Why a file cannot be read, by the error code of the system, in words that say what to do. */
const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  EISDIR: "it is a directory",
  EACCES: "permission denied",
  ENOTDIR: "a part of its path is not a directory",
  ENXIO: "it is a socket",
};

/** A file's text; or a problem that completes "cannot read …: ". */
export type SmallFile = { readonly text: string } | { readonly problem: string };

/** Reads a small UTF-8 file, or a pipe (`/dev/stdin`) to its end, but never more than {@link SMALL_FILE_BYTES}. */
export function readSmallFile(path: string): SmallFile {
  let file: number | undefined;
  try {
    file = openSync(path, "r");
    const { size } = fstatSync(file);
    const bytes = size > SMALL_FILE_BYTES ? undefined : readUpTo(file, SMALL_FILE_BYTES);
    if (!bytes) return { problem: `it has more than ${SMALL_FILE_BYTES} bytes, which no such file needs` };
    return { text: new TextDecoder("utf-8", { fatal: true }).decode(bytes) };
  } catch (error) {
    return { problem: describe(error) };
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

/** As {@link readSmallFile}, for a file that will be read again, or by several processes: no pipe, no device. */
export function readSmallRegularFile(path: string): SmallFile {
  try {
    const found = statSync(path);
    if (!found.isFile() && !found.isDirectory())
      return { problem: "it is not a regular file, and has to be one since it is read more than once" };
  } catch (error) {
    return { problem: describe(error) };
  }
  return readSmallFile(path);
}

/** The bytes up to the end of the file; `undefined` when there are more than `limit`. */
function readUpTo(file: number, limit: number): Buffer | undefined {
  const pieces: Buffer[] = [];
  for (let total = 0; total <= limit; ) {
    const piece = Buffer.alloc(64 * 1024);
    const length = readSync(file, piece);
    if (length === 0) return Buffer.concat(pieces);
    pieces.push(piece.subarray(0, length));
    total += length;
  }
  return undefined;
}

function describe(error: unknown): string {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  if (code === "ERR_ENCODING_INVALID_ENCODED_DATA") return "it is not UTF-8 text";
  return REASONS[code] ?? `the system says ${code || "nothing"}`;
}
