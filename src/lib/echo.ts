/** Characters of a caller's value that a message repeats at most: enough to recognize it, too few to flood a log. */
export const MAX_ECHO_LENGTH = 64;

/**
 * A caller's value as a message may show it: in quotes, at most {@link MAX_ECHO_LENGTH} characters after escaping
 * (then `…`), everything outside of printable ASCII as `\u{…}`. So it can neither break a line, nor turn the reading
 * direction, nor look like another name.
 */
export function echo(value: string): string {
  let shown = "";
  for (const char of value) {
    const escaped = escapeChar(char);
    if (shown.length + escaped.length > MAX_ECHO_LENGTH) return `"${shown}…"`;
    shown += escaped;
  }
  return `"${shown}"`;
}

function escapeChar(char: string): string {
  if (char === '"' || char === "\\") return `\\${char}`;
  const code = char.codePointAt(0) ?? 0;
  return code >= 0x20 && code < 0x7f ? char : `\\u{${code.toString(16)}}`;
}
