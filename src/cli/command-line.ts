import { basename, delimiter, dirname, isAbsolute, relative } from "node:path";

/**
 * How to call this program again, as short as it works: by its name where the shell finds it, by a relative path below
 * the working directory, else by the whole path.
 *
 * @param script absolute path of the file that was called, symbolic links in it as they were written
 * @param path the variable PATH
 */
export function programAsCalled(script: string, directory: string, path: string | undefined): string {
  const name = basename(script);
  if (path?.split(delimiter).includes(dirname(script))) return name;
  const below = relative(directory, script);
  if (below.startsWith("..") || isAbsolute(below)) return script;
  // A bare name would be looked for in PATH.
  return below === name ? `./${name}` : below;
}

/** A command line that a POSIX shell reads as these words. */
export function commandLine(words: readonly string[]): string {
  return words.map(quoted).join(" ");
}

function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
