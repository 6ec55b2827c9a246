/** `tchar` (RFC 9110 §5.6.2): methods and field names are made of them. */
export const TOKEN = 1;

/** `field-vchar`, space and tab (RFC 9110 §5.5): field values are made of them, `obs-text` included. */
export const VALUE = 2;

/** `VCHAR` (RFC 5234): a request target is made of them; which of these a URI may have is the router's business. */
export const TARGET = 4;

/** A letter that has a lower case. */
export const UPPER = 8;

export const CR = 0x0d;
export const LF = 0x0a;
export const SPACE = 0x20;
export const TAB = 0x09;
export const SLASH = 0x2f;
export const COLON = 0x3a;

/** Characters that no field value may have (RFC 9110 §5.5), those among them that Latin-1 would cut to a line end. */
export const NOT_IN_VALUE = /[^\t\x20-\x7e\x80-\xff]/;

/** What a byte may be part of, by its value: the grammar of RFC 9110 §5 as a table, since every byte of a head is asked. */
export const BYTES: Readonly<Uint8Array> = makeTable();

function makeTable(): Uint8Array {
  const table = new Uint8Array(256);
  const mark = (first: number, last: number, kind: number): void => {
    for (let byte = first; byte <= last; byte++) table[byte] = (table[byte] ?? 0) | kind;
  };
  mark(0x30, 0x39, TOKEN);
  mark(0x41, 0x5a, TOKEN | UPPER);
  mark(0x61, 0x7a, TOKEN);
  for (const char of "!#$%&'*+-.^_`|~") mark(char.charCodeAt(0), char.charCodeAt(0), TOKEN);
  mark(0x20, 0x7e, VALUE);
  mark(0x80, 0xff, VALUE);
  mark(TAB, TAB, VALUE);
  mark(0x21, 0x7e, TARGET);
  return table;
}
