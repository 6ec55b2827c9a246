import type { Key } from "./keys.ts";
import type { Problem } from "./problem.ts";

/** A value that a source gives to a setting, not yet checked. */
export interface Entry {
  readonly key: Key;
  readonly value: unknown;
  /** Names the place in complaints: `gateway.yaml:3`, the name of a variable, a flag. */
  readonly where: string;
  /** Where a relative path starts; `undefined`: the working directory. */
  readonly directory?: string;
}

/** What a source of settings (file, environment, flags) gave. */
export interface SourceResult {
  readonly entries: readonly Entry[];
  readonly problems: readonly Problem[];
}
