import { type Identity, shareKey } from "../identity.ts";
import type { ReadScopes } from "../schedule/read-scope.ts";
import { type CollectionFollower, CollectionPoll, type CollectionTools } from "./collection-poll.ts";

/** Which collection a caller wants to watch. */
export interface CollectionTarget {
  readonly identity: Identity;
  readonly parent: string;
  readonly filter: string;
  readonly authorization: string | undefined;
}

/** All collections that are watched, by identity, parent and filter. */
export class Collections {
  readonly #polls = new Map<string, CollectionPoll>();
  readonly #tools: CollectionTools;
  readonly #scopes: ReadScopes;

  constructor(tools: Omit<CollectionTools, "over">, scopes: ReadScopes) {
    this.#tools = { ...tools, over: (poll) => this.#polls.delete(poll.key) };
    this.#scopes = scopes;
  }

  get size(): number {
    return this.#polls.size;
  }

  /** Operations in all of them. */
  get operations(): number {
    let total = 0;
    for (const { view } of this.#polls.values()) total += view.entries.size;
    return total;
  }

  /** Lets a follower follow a collection; he ends it with {@link CollectionPoll.leave}. */
  follow(
    { identity, parent, filter, authorization }: CollectionTarget,
    follower: CollectionFollower,
  ): CollectionPoll {
    // A parent cannot hold a line break, a filter can.
    const key = `${shareKey(identity, parent)}\n${filter}`;
    let poll = this.#polls.get(key);
    if (!poll) {
      const target = { parent, filter, authorization, scope: this.#scopes.of(parent) };
      poll = new CollectionPoll(key, identity, target, this.#tools);
      this.#polls.set(key, poll);
    }
    poll.follow(follower);
    return poll;
  }

  /** A cancel of this operation has passed through: the collections that hold it look sooner. */
  becomeYoung(name: string): void {
    for (const poll of this.#polls.values()) poll.becomeYoung(name);
  }
}
