import type { ConnectError } from "@connectrpc/connect";
import type { Follower } from "../deliver/delivery.ts";
import type { Observation } from "../facts/observation.ts";
import { type Identity, shareKey } from "../identity.ts";
import type { ReadScopes } from "../schedule/read-scope.ts";
import { RecentCancels } from "../schedule/recent-cancels.ts";
import { ListSweep } from "./list-sweep.ts";
import type { ListTools } from "./listing.ts";
import { noRoom } from "./no-room.ts";
import { type PollTools, SharedPoll } from "./shared-poll.ts";

/** Who wants to follow what. */
export interface FollowTarget {
  readonly identity: Identity;
  readonly name: string;
  /** The Authorization value behind the identity; polls are made with it. */
  readonly authorization: string | undefined;
}

/** What was read last of operations that run and that nobody follows at present. */
export interface LastReads {
  /** The read, if it is not older than it was to be kept. */
  get(key: string): Observation | undefined;
  /** Keeps it for so long. */
  put(key: string, seen: Observation, ttlMs: number): void;
}

/** All operations that are polled, by share key; finds the poll of an operation, or begins one. */
export class OperationTracker {
  readonly #polls = new Map<string, SharedPoll>();
  readonly #sweeps = new Map<string, ListSweep>();
  readonly #recentCancels = new RecentCancels();
  readonly #tools: PollTools;
  readonly #listTools: ListTools;
  readonly #scopes: ReadScopes;
  readonly #lastReads: LastReads;
  readonly #listThreshold: number;
  readonly #room: () => boolean;

  constructor(
    tools: Omit<PollTools, "over">,
    listTools: ListTools,
    scopes: ReadScopes,
    lastReads: LastReads,
    limits: { readonly listThreshold: number; readonly room: () => boolean },
  ) {
    this.#tools = { ...tools, over: (poll) => this.#forget(poll) };
    this.#listTools = listTools;
    this.#scopes = scopes;
    this.#lastReads = lastReads;
    this.#listThreshold = limits.listThreshold;
    this.#room = limits.room;
  }

  /** Operations tracked at present. */
  get size(): number {
    return this.#polls.size;
  }

  /**
   * Lets a follower follow an operation; he ends it with {@link SharedPoll.leave}.
   *
   * @throws ConnectError RESOURCE_EXHAUSTED when so many operations are tracked that there is no room for another.
   */
  follow(target: FollowTarget, follower: Follower): SharedPoll {
    const key = shareKey(target.identity, target.name);
    let poll = this.#polls.get(key);
    if (!poll) {
      if (!this.#room()) throw noRoom();
      const { name } = target;
      poll = new SharedPoll({ key, name, scope: this.#scopes.of(name) }, target.authorization, this.#tools);
      poll.cancelled = this.#recentCancels.at(key, this.#tools.clock.monotonic());
      this.#polls.set(key, poll);
      this.#sweepOf(target)?.join(poll);
      const last = this.#lastReads.get(key);
      if (last) poll.resume(last);
    }
    poll.follow(follower);
    return poll;
  }

  /** The poll of an operation, if it is tracked. */
  find(key: string): SharedPoll | undefined {
    return this.#polls.get(key);
  }

  /** A cancel has passed through: whoever waits for the operation, now or soon, is told of its end sooner. */
  cancelRequested(key: string): void {
    this.#recentCancels.add(key, this.#tools.clock.monotonic());
    this.#polls.get(key)?.becomeYoung();
  }

  /** A read, whoever made it, has found the operation of this key. */
  found(key: string, seen: Observation): void {
    this.#polls.get(key)?.observe(seen);
  }

  /** A read of this key has failed. */
  failed(key: string, error: ConnectError): void {
    this.#polls.get(key)?.observeFailure(error);
  }

  /** A read of this key was given up by those who had asked for it. */
  abandoned(key: string): void {
    this.#polls.get(key)?.observeAbandoned();
  }

  #forget(poll: SharedPoll): void {
    this.#polls.delete(poll.target.key);
    const { latest } = poll;
    // Who attaches again at once, in a tight loop perhaps, costs no read before the next one is due.
    if (latest && !latest.done && !poll.ended) {
      const freshUntil = latest.sentAt + poll.presentInterval;
      this.#lastReads.put(poll.target.key, latest, freshUntil - this.#tools.clock.monotonic());
    }
    const { sweep } = poll;
    if (!sweep) return;
    sweep.leave(poll);
    const key = this.#sweepKey(poll);
    if (sweep.members.size === 0 && key !== undefined) this.#sweeps.delete(key);
  }

  #sweepOf({ identity, name, authorization }: FollowTarget): ListSweep | undefined {
    const parent = collectionOf(name);
    if (parent === undefined) return undefined;
    const key = shareKey(identity, parent);
    let sweep = this.#sweeps.get(key);
    if (!sweep) {
      const target = { parent, filter: "", authorization, scope: this.#scopes.of(name) };
      sweep = new ListSweep(target, this.#listTools, this.#listThreshold);
      this.#sweeps.set(key, sweep);
    }
    return sweep;
  }

  #sweepKey(poll: SharedPoll): string | undefined {
    return collectionOf(poll.target.key);
  }
}

/** What comes before the last `/operations/`: the parent that a list of the operation's collection is asked for. */
function collectionOf(name: string): string | undefined {
  const at = name.lastIndexOf("/operations/");
  return at > 0 ? name.slice(0, at) : undefined;
}
