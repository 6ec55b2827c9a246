import * as z from "zod";
import { formatDuration, parseDuration } from "./duration.ts";
import { parseHostPort } from "./host-port.ts";

/**
 * The kinds of values that settings have. Each makes a zod schema whose custom messages complete the sentence
 * `KEY: VALUE …`, and registers what the loader, the flags and the documentation need to know beside it.
 */

// A configuration is checked once. zod would write and compile a function for each object first, which pays off from
// about the hundredth check on, and takes longer than all of this one.
z.config({ jitless: true });

/** What is known of a setting besides its schema. */
export interface Setting {
  /** What it is, what it does and why the default is what it is: the text of `docs/configuration.md`. */
  readonly doc: string;
  /** Completes "must be …" when a value has the wrong type. */
  readonly allowed: string;
  /** Stands for the value in `--help`. */
  readonly placeholder: string;
  /** The default as it would be written in the file; `undefined` when absence means something of its own. */
  readonly defaultText: string | undefined;
  /** Makes of a variable's or flag's text what the file would hold. Text that cannot be read stays text. */
  readonly fromText: (text: string) => unknown;
  /** Writes a loaded value as the file would hold it. Absent: as it is. */
  readonly toText?: (value: unknown) => string;
  /** The only values there are, if they are few words: a typo is matched with them. */
  readonly words?: readonly string[];
  /** A variable of Google's own tools that stands for the setting when nothing of ours says anything. */
  readonly ambient?: string;
  /** A path: relative to the directory of the file that names it, else to the working directory. */
  readonly path?: boolean;
}

/** The {@link Setting} of each leaf of the schema. */
export const settings = z.registry<Setting>();

/** What a caller of a kind says of one setting. */
interface About<T> {
  readonly doc: string;
  readonly default: T;
  readonly ambient?: string;
}

const asText = (text: string): unknown => text;

/** Where to listen: a TCP address `host:port`, or `unix:/path`. */
export function address({ doc, default: value }: About<string>) {
  const allowed = "host:port, for example 127.0.0.1:8080 or [::1]:8080, or unix:/path";
  return z
    .string()
    .refine((text) => /^unix:./.test(text) || parseHostPort(text), { error: `is not ${allowed}` })
    .default(value)
    .meta({ description: doc })
    .register(settings, { doc, allowed, placeholder: "HOST:PORT", defaultText: value, fromText: asText });
}

/** One of a few words. */
export function oneOf<const T extends readonly [string, ...string[]]>(
  words: T,
  { doc, default: value, ambient }: About<T[number]>,
) {
  return z
    .enum(words)
    .default(value)
    .meta({ description: doc })
    .register(settings, {
      doc,
      allowed: `one of ${words.join(", ")}`,
      placeholder: words.join("|"),
      words,
      defaultText: value,
      fromText: asText,
      ...(ambient !== undefined && { ambient }),
    });
}

/** Like {@link oneOf}, with absence as a value of its own, told by `doc`. */
export function optionalOneOf<const T extends readonly [string, ...string[]]>(
  words: T,
  { doc }: { doc: string },
) {
  return z
    .enum(words)
    .optional()
    .meta({ description: doc })
    .register(settings, {
      doc,
      allowed: `one of ${words.join(", ")}`,
      placeholder: words.join("|"),
      words,
      defaultText: undefined,
      fromText: asText,
    });
}

/** `true` or `false`. */
export function toggle({ doc, default: value }: About<boolean>) {
  return z
    .boolean()
    .default(value)
    .meta({ description: doc })
    .register(settings, {
      doc,
      allowed: "true or false",
      placeholder: "true|false",
      defaultText: String(value),
      fromText: (text) => (text === "true" ? true : text === "false" ? false : text),
    });
}

/** A whole number within bounds. */
export function integer({ doc, default: value, min, max }: About<number> & { min: number; max: number }) {
  return z
    .int()
    .min(min)
    .max(max)
    .default(value)
    .meta({ description: doc })
    .register(settings, {
      doc,
      allowed: `a whole number from ${min} to ${max}`,
      placeholder: "N",
      defaultText: String(value),
      fromText: numberFromText,
    });
}

/** A whole number within bounds, or `auto`. */
export function integerOrAuto({
  doc,
  default: value,
  min,
  max,
}: About<number> & { min: number; max: number }) {
  return z
    .union([z.literal("auto"), z.int().min(min).max(max)])
    .default(value)
    .meta({ description: doc })
    .register(settings, {
      doc,
      allowed: `auto, or a whole number from ${min} to ${max}`,
      placeholder: "N|auto",
      defaultText: String(value),
      fromText: (text) => (text === "auto" ? text : numberFromText(text)),
    });
}

/** A number above 0 that may be absent. */
export function optionalRate({ doc, max }: { doc: string; max: number }) {
  return z
    .number()
    .gt(0)
    .max(max)
    .optional()
    .meta({ description: doc })
    .register(settings, {
      doc,
      allowed: `a number above 0, up to ${max}`,
      placeholder: "N",
      defaultText: undefined,
      fromText: numberFromText,
    });
}

/** A span of time, in milliseconds after loading. `default`, `min` and `max` are written as in the file. */
export function duration({
  doc,
  default: value,
  min,
  max,
}: About<string> & { readonly min: string; readonly max: string }) {
  const allowed = `a duration from ${min} to ${max}, for example 250ms, 10s, 30m or 1h30m`;
  const lowest = parseDuration(min) ?? 0;
  const highest = parseDuration(max) ?? 0;
  return z
    .union([z.string(), z.number()])
    .transform((written, context) => {
      const ms = parseDuration(written);
      if (ms !== undefined && ms >= lowest && ms <= highest) return ms;
      context.addIssue(`is not ${allowed}`);
      return z.NEVER;
    })
    .prefault(value)
    .meta({ description: doc })
    .register(settings, {
      doc,
      allowed,
      placeholder: "DURATION",
      defaultText: formatDuration(parseDuration(value) ?? 0),
      fromText: asText,
      toText: (ms) => formatDuration(Number(ms)),
    });
}

/** A path of a file that may be absent. That the file can be read is checked by the loader. */
export function optionalFile({ doc }: { doc: string }) {
  return z.string().min(1).optional().meta({ description: doc }).register(settings, {
    doc,
    allowed: "the path of a file",
    placeholder: "FILE",
    defaultText: undefined,
    fromText: asText,
    path: true,
  });
}

/** A word that must match a pattern. `allowed` completes "is not …". */
export function word({ doc, default: value, ambient, pattern, allowed }: About<string> & Pattern) {
  return z
    .string()
    .regex(pattern)
    .default(value)
    .meta({ description: doc })
    .register(settings, {
      doc,
      allowed,
      placeholder: "WORD",
      defaultText: value,
      fromText: asText,
      ...(ambient !== undefined && { ambient }),
    });
}

/** Like {@link word}, and may be absent. */
export function optionalWord({ doc, pattern, allowed }: { readonly doc: string } & Pattern) {
  return z
    .string()
    .regex(pattern)
    .optional()
    .meta({ description: doc })
    .register(settings, { doc, allowed, placeholder: "WORD", defaultText: undefined, fromText: asText });
}

/** The shape of a word and its description. */
interface Pattern {
  readonly pattern: RegExp;
  readonly allowed: string;
}

/** The origin of a server, without a path; may be absent. */
export function optionalOrigin({ doc, example }: { doc: string; example: string }) {
  return z
    .string()
    .transform((text, context) => {
      const origin = readOrigin(text, example);
      if ("origin" in origin) return origin.origin;
      context.addIssue(origin.problem);
      return z.NEVER;
    })
    .optional()
    .meta({ description: doc })
    .register(settings, {
      doc,
      allowed: `a URL, for example ${example}`,
      placeholder: "URL",
      defaultText: undefined,
      fromText: asText,
    });
}

/** Origins as browsers send them. In a variable or flag they are separated by commas. */
export function origins({ doc }: { doc: string }) {
  const example = "https://console.example.com";
  const origin = z.string().transform((text, context) => {
    const read = readOrigin(text, example);
    if ("origin" in read) return read.origin;
    context.addIssue(text === "*" ? `is refused: list each origin, for example ${example}` : read.problem);
    return z.NEVER;
  });
  return z
    .array(origin)
    .default([])
    .meta({ description: doc })
    .register(settings, {
      doc,
      allowed: `a list of origins, for example [${example}]`,
      placeholder: "ORIGIN,…",
      defaultText: "[]",
      fromText: (text) =>
        text
          .split(",")
          .map((part) => part.trim())
          .filter((part) => part !== ""),
    });
}

/** Reads `scheme://host[:port]`, with a trailing slash at most. Never repeats a password in its complaint. */
function readOrigin(text: string, example: string): { origin: string } | { problem: string } {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !["http:", "https:"].includes(url.protocol) || !/^https?:\/\//i.test(text))
    return { problem: `is not an http or https URL; write it like ${example}` };
  if (url.username !== "" || url.password !== "")
    return { problem: `holds a user name or password, which would end up in logs; write it like ${example}` };
  if (url.pathname !== "/" || url.search !== "" || url.hash !== "")
    return { problem: `has more than scheme, host and port; write ${url.origin}` };
  return { origin: url.origin };
}

function numberFromText(text: string): unknown {
  return /^-?\d+(?:\.\d+)?$/.test(text) ? Number(text) : text;
}
