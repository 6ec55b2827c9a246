import type { ReadScope, ReadScopes } from "../schedule/read-scope.ts";

/** What is read or cancelled, and for whom: both are shared within a key, that is, within a name and an identity. */
export interface ReadTarget {
  readonly key: string;
  readonly name: string;
  /** Whose budget a read of it is charged to. */
  readonly scope: ReadScope;
}

/** A target whose scope is found when it is first asked for: a cancel that goes well never asks. */
export class CallTarget implements ReadTarget {
  readonly key: string;
  readonly name: string;
  readonly #scopes: Pick<ReadScopes, "of">;
  #known: ReadScope | undefined;

  constructor(key: string, name: string, scopes: Pick<ReadScopes, "of">) {
    this.key = key;
    this.name = name;
    this.#scopes = scopes;
  }

  get scope(): ReadScope {
    this.#known ??= this.#scopes.of(this.name);
    return this.#known;
  }
}
