import { type ObjectReader, readObject } from "./input.ts";
import { isJsonObject, type Json, type JsonObject } from "./json.ts";

/** How the API behaves as a whole. Everything can be changed while the emulator runs. */
export interface Settings {
  /** Who may call; `undefined`: anybody, with or without a token. */
  readonly auth: AuthSettings | undefined;
  /** Requests beyond this rate are answered 429; `undefined`: no limit. */
  readonly rateLimit: RateLimitSettings | undefined;
  /** Reads show an operation as it was so many milliseconds ago: its end is seen late. Default 0. */
  readonly readLagMs: number;
  /** Lists lag by so much: an operation created or finished since is not in them, or not as finished. Default 0. */
  readonly listLagMs: number;
  /** Names or prefixes of names (e.g. `projects/demo/locations/us-central1`) that a list cannot reach. */
  readonly unreachable: readonly string[];
  /** Milliseconds of work of an operation that a start method (e.g. `fhirStores.import`) creates. Default 60,000. */
  readonly startedDurationMs: number;
}

/** Requests need a bearer token. */
export interface AuthSettings {
  /** The tokens that are good, and for what. `undefined`: every token is. */
  readonly tokens: Readonly<Record<string, TokenSettings>> | undefined;
}

/** What a token is good for. */
export interface TokenSettings {
  readonly expired: boolean;
  /** OAuth scopes; `undefined`: cloud-platform. */
  readonly scopes: readonly string[] | undefined;
  /** IAM permissions, e.g. `healthcare.operations.get`; `undefined`: all. */
  readonly permissions: readonly string[] | undefined;
}

/** Methods of the API by the names that settings, faults and the request log use. */
export const METHODS = [
  "get",
  "list",
  "cancel",
  "getFhir",
  "deleteFhir",
  "exportFhir",
  "getDataset",
  "listDatasets",
  "start",
] as const;

/** One of {@link METHODS}. */
export type Method = (typeof METHODS)[number];

/** A rate limit for each project and location, as a token bucket. */
export interface RateLimitSettings {
  /** Requests that the bucket gains in a second. */
  readonly perSecond: number;
  /** Requests that the bucket holds at most. Default: `perSecond`, at least 1. */
  readonly burst: number;
  /** Methods that count. Default `get`, `list` and `cancel`. */
  readonly methods: readonly Method[];
  /** Seconds in `Retry-After`; `null`: no such header. Default: until the bucket has one again, at least 1. */
  readonly retryAfterSeconds: number | null | undefined;
}

/** The settings of an emulator that nobody has set up. */
export const DEFAULT_SETTINGS: Settings = {
  auth: undefined,
  rateLimit: undefined,
  readLagMs: 0,
  listLagMs: 0,
  unreachable: [],
  startedDurationMs: 60_000,
};

/**
 * Lays the keys of `value` over `settings`; `null` sets a key back to its default. The form of `value` is that of the
 * control endpoint. Throws a RangeError that names a wrong key and what is allowed.
 */
export function changeSettings(settings: Settings, value: Json): Settings {
  if (!isJsonObject(value)) throw new RangeError("settings must be a JSON object");
  const reset = Object.keys(value).filter(
    (key) => value[key] === null && Object.hasOwn(DEFAULT_SETTINGS, key),
  );
  const base: Settings = { ...settings, ...pick(DEFAULT_SETTINGS, reset) };
  const input = readObject(
    Object.fromEntries(Object.entries(value).filter(([key]) => !reset.includes(key))),
    "settings",
  );
  const auth = input.object("auth");
  const rateLimit = input.object("rateLimit");
  const changed: Settings = {
    auth: auth ? readAuth(auth) : base.auth,
    rateLimit: rateLimit ? readRateLimit(rateLimit) : base.rateLimit,
    readLagMs: input.number("readLagMs") ?? base.readLagMs,
    listLagMs: input.number("listLagMs") ?? base.listLagMs,
    unreachable: input.strings("unreachable") ?? base.unreachable,
    startedDurationMs: input.number("startedDurationMs") ?? base.startedDurationMs,
  };
  input.end();
  return changed;
}

/** The settings in the form that {@link changeSettings} takes, with tokens hidden. */
export function settingsJson(settings: Settings): JsonObject {
  const { auth, rateLimit } = settings;
  return {
    auth: auth ? { tokens: auth.tokens ? `${Object.keys(auth.tokens).length} (hidden)` : "any" } : null,
    rateLimit: rateLimit ? { ...rateLimit } : null,
    readLagMs: settings.readLagMs,
    listLagMs: settings.listLagMs,
    unreachable: settings.unreachable,
    startedDurationMs: settings.startedDurationMs,
  };
}

function readAuth(input: ObjectReader): AuthSettings {
  const tokens = input.object("tokens");
  input.end();
  if (!tokens) return { tokens: undefined };
  return {
    tokens: Object.fromEntries(
      tokens.keys().map((token): [string, TokenSettings] => {
        const spec = tokens.object(token);
        const read = {
          expired: spec?.boolean("expired") ?? false,
          scopes: spec?.strings("scopes"),
          permissions: spec?.strings("permissions"),
        };
        spec?.end();
        return [token, read];
      }),
    ),
  };
}

function readRateLimit(input: ObjectReader): RateLimitSettings {
  const perSecond = input.number("perSecond", 0.001);
  if (perSecond === undefined) throw new RangeError("settings.rateLimit.perSecond is required");
  const methods = input.strings("methods") ?? ["get", "list", "cancel"];
  const unknown = methods.find((name) => !isMethod(name));
  if (unknown !== undefined) {
    throw new RangeError(
      `settings.rateLimit.methods may hold ${METHODS.join(", ")}, got ${JSON.stringify(unknown)}`,
    );
  }
  const limit: RateLimitSettings = {
    perSecond,
    burst: input.number("burst", 1) ?? Math.max(1, perSecond),
    methods: methods.filter(isMethod),
    retryAfterSeconds: input.json("retryAfterSeconds") === null ? null : input.number("retryAfterSeconds"),
  };
  input.end();
  return limit;
}

function isMethod(name: string): name is Method {
  return METHODS.some((method) => method === name);
}

function pick(settings: Settings, keys: readonly string[]): Partial<Settings> {
  return Object.fromEntries(Object.entries(settings).filter(([key]) => keys.includes(key)));
}
