import Table from "cli-table3";

/** No lines around cells: a table that can be read, grepped and cut by column. */
const PLAIN = {
  chars: {
    top: "",
    "top-mid": "",
    "top-left": "",
    "top-right": "",
    bottom: "",
    "bottom-mid": "",
    "bottom-left": "",
    "bottom-right": "",
    left: "",
    "left-mid": "",
    mid: "",
    "mid-mid": "",
    right: "",
    "right-mid": "",
    middle: "   ",
  },
  style: { head: [], border: [], "padding-left": 0, "padding-right": 0 },
};

/**
 * Prints rows under their headings, columns aligned, nothing cut off: what stands in a cell can be pasted. No line ends
 * in blanks, and there is no newline at the end.
 */
export function formatTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const table = new Table({ ...PLAIN, head: [...head] });
  table.push(...rows.map((row) => row.map(printable)));
  return trimLines(table.toString());
}

/** Prints names and values, one pair a line. A value of several lines stays aligned. */
export function formatPairs(pairs: readonly (readonly [name: string, value: string])[]): string {
  const table = new Table(PLAIN);
  table.push(...pairs.map(([name, value]) => [name, value.split("\n").map(printable).join("\n")]));
  return trimLines(table.toString());
}

/** Control characters would let an operation's text write to the terminal. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029]/gu, "\u{FFFD}");
}

function trimLines(text: string): string {
  return text.replace(/(?<! ) +$/gm, "");
}
