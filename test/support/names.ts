/** What one segment of a hostile name may be, or hold. Most are from real attacks on path templates. */
export const HOSTILE_SEGMENTS: readonly string[] = [
  ...[
    "",
    ".",
    "..",
    "...",
    "%2e",
    "%2e%2e",
    "%2E%2E",
    ".%2e",
    "..%2f..%2fx",
    "%252e%252e",
    "%2%65",
    "%c0%ae",
  ],
  ...[
    "1?x=y",
    "1:cancel?",
    "1#f",
    "1:cancel",
    "d:deidentify?",
    "f:setIamPolicy?",
    "s:export#",
    "1%2Fx",
    "1%3F",
  ],
  ...["1%23", "1%00", "1%0d%0aX", "1%", "1%zz", "%41", "%C3%A9", "1;a=b", "@evil.com", "1\\..\\x", "\\evil"],
  ...[
    "a b",
    "1\t2",
    "1\r\n2",
    "\0",
    "\x7f",
    "\x85",
    "\u2028",
    "\u2029",
    "\u202e",
    "\u200f",
    "\ufeff",
    "\ufffd",
  ],
  ...[
    "\ud800",
    "\udc00",
    "\udc00\ud800",
    "１",
    "．．",
    "／",
    "é",
    "e\u0301",
    "𝒜",
    "数据",
    "ß",
    "!*'()",
    '"<>^`{|}',
  ],
  ...[
    "$&+,;=",
    "~",
    "[::1]",
    "fhirStores",
    "operations",
    "projects",
    "..;",
    "x".repeat(700),
    "𝒜".repeat(300),
  ],
];

/** Letters and digits as Healthcare's dataset ids may have them: of every script, beyond the BMP too. */
const LEGAL_CHARS: readonly string[] = [
  ..."abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.",
  ..."éßñøčłđαβγδжщю中文字数据日本語한국어العربيةעבריתไทยह१२३Ⅷ½𝒜𝒷𐍈𠀀𡃁",
];

/** Numbers below a bound, from a seed: mulberry32. Cheaper than an arbitrary for each character of a name. */
export function randomBelow(seed: number): (bound: number) => number {
  let state = seed | 0;
  return (bound) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * bound);
  };
}

type Random = ReturnType<typeof randomBelow>;

/** A name of the shape (`*` one id, `**` one or more) whose ids are legal throughout: it must be served. */
export function legalName(random: Random, shape: string): string {
  return shape
    .split("/")
    .map((segment) => {
      if (segment === "*") return legalId(random);
      if (segment !== "**") return segment;
      return Array.from({ length: 1 + random(3) }, () => legalId(random)).join("/");
    })
    .join("/");
}

/** Anything from nearly right to line noise. */
export function hostileName(random: Random, shape: string): string {
  const name = legalName(random, shape);
  const hostile = pick(random, HOSTILE_SEGMENTS);
  const at = random(name.length + 1);
  switch (random(8)) {
    case 0:
    case 1:
      return name.slice(0, at) + hostile + name.slice(at);
    case 2:
    case 3: {
      const segments = name.split("/");
      segments[random(segments.length)] = hostile;
      return segments.join("/");
    }
    case 4:
      return name.slice(0, at) + String.fromCharCode(random(0x1_0000)) + name.slice(at);
    case 5:
      return name.slice(0, at) + String.fromCodePoint(random(0x100)) + name.slice(at + 1);
    case 6:
      return `${name}/${hostile}`;
    default: {
      const parts = [...HOSTILE_SEGMENTS, ...shape.split("/")];
      return Array.from({ length: random(9) }, () => pick(random, parts)).join("/");
    }
  }
}

function legalId(random: Random): string {
  let id = "";
  for (let left = 1 + random(10); left > 0; left--) id += pick(random, LEGAL_CHARS);
  return id === "." || id === ".." ? `${id}x` : id;
}

function pick<T>(random: Random, values: readonly T[]): T {
  const value = values[random(values.length)];
  if (value === undefined) throw new Error("nothing to pick from");
  return value;
}
