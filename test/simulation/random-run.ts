import { Code } from "@connectrpc/connect";
import {
  WatchOperationsResponse_Kind as Kind,
  type State,
  type WatchOperationsResponse,
} from "../../gen/lrogateway/v1/operation_watcher_pb.ts";
import type { StreamReader } from "../support/stream-reader.ts";
import {
  CancellingClient,
  Client,
  PollingClient,
  TERMINAL,
  trueState,
  WaitingClient,
  WatchingClient,
} from "./random-clients.ts";
import { CALM, type RandomWorld, randomWorld, TOKENS } from "./random-world.ts";

/** When everything must have come to its end. */
const END = CALM + 600_000;

/** Watches a whole dataset and keeps what it is told, as a console does. */
class ListingClient extends Client {
  private readonly known = new Map<string, State>();
  private reader: StreamReader<WatchOperationsResponse> | undefined;
  private gone = false;

  start(): void {
    this.attach();
    this.world.clock.setTimer(END - 1_000 - this.now, () => {
      this.gone = true;
      this.reader?.leave();
      this.done = true;
    });
  }

  check(): void {
    if (this.revoked) return;
    for (const [name, operation] of this.world.upstream.operations) {
      if (!name.startsWith(`${this.name}/`)) continue;
      if (!this.sees(name)) continue;
      if (this.known.get(name) !== trueState(this.world, operation.name))
        this.problem(`knows ${name} as ${this.known.get(name)}`);
    }
  }

  /** With the gateway's own credentials a list holds what the gateway may see. */
  private sees(name: string): boolean {
    return this.world.ownCredentials || this.world.allowed(`Bearer ${this.token}`, name);
  }

  private attach(): void {
    const { engine, clock, random } = this.world;
    const interest = this.begin();
    const began = new Map<string, State>();
    let snapshot = false;
    this.reader = this.open(
      () => engine.watchOperations(this.name, "", this.world.call({ token: this.token })),
      (message) => {
        const { kind, name, state, operation } = message;
        if (kind === Kind.HEARTBEAT) return;
        if (kind === Kind.SNAPSHOT_END) {
          if (snapshot) this.problem("a second SNAPSHOT_END");
          snapshot = true;
          return;
        }
        if (!this.sees(name)) this.problem(`got ${name}, which it may not see`);
        if (operation && operation.name !== name) this.problem(`${name} carries ${operation.name}`);
        if (kind === Kind.SNAPSHOT && (snapshot || began.has(name)))
          this.problem(`SNAPSHOT of ${name} late or twice`);
        if (kind === Kind.ADDED && (!snapshot || began.has(name)))
          this.problem(`ADDED ${name} early or twice`);
        if (kind === Kind.CHANGED && !began.has(name))
          this.problem(`CHANGED ${name}, which it does not know`);
        if (kind === Kind.GONE) this.problem(`GONE ${name}, which exists`);
        if (kind === Kind.CHANGED && TERMINAL.has(began.get(name)!))
          this.problem(`${name} changed after its end`);
        began.set(name, state);
        this.known.set(name, state);
      },
      (error) => {
        interest.to = this.now;
        if (this.gone) return;
        if (error?.code === Code.PermissionDenied && this.revoked) {
          if (interest.from >= this.world.revokedAt(this.token)) interest.to = Number.NEGATIVE_INFINITY;
          this.gone = true;
          return;
        }
        if (!error) this.problem("ended with OK");
        else if (error.code !== Code.Unavailable) this.problem(`ended with ${error.message}`);
        clock.setTimer(random.between(0, 2_000), () => !this.gone && this.attach());
      },
    );
  }
}

/** Runs one random world to its end and returns what was wrong in it. */
export async function randomRun(seed: number): Promise<string[]> {
  const world = randomWorld(seed);
  const { clock, random, engine, upstream } = world;
  const names = [...upstream.operations.keys()];
  const clients: Client[] = [];
  for (let n = 3 + random.below(10); n > 0; n--) {
    const kind = random.pick([
      WaitingClient,
      WatchingClient,
      WatchingClient,
      CancellingClient,
      // A plain read is no attendance: the door is not asked.
      world.ownCredentials ? WaitingClient : PollingClient,
      ListingClient,
    ]);
    const name = kind === ListingClient ? names[0]!.replace(/\/operations\/.*/, "") : random.pick(names);
    const client = new kind(world, random.pick(TOKENS), name);
    clients.push(client);
    clock.setTimer(random.between(0, 60_000), () => client.start());
  }
  await clock.advance(END);
  const atEnd = upstream.requests().length;
  await clock.advance(300_000);
  const problems = clients.flatMap((client) => {
    client.check();
    return client.problems;
  });
  const after = upstream.requests().length - atEnd;
  if (after > 0) problems.push(`${after} requests after the last client had left`);
  const { watches, operations, collections, reads, cancels } = engine.stats;
  if (watches + operations + collections + reads + cancels > 0)
    problems.push(`left over: ${JSON.stringify(engine.stats)}`);
  return [...problems, ...mixed(world, clients)];
}

/** Requests that no interest of the same identity explains: polls for nobody, or for somebody else. */
function mixed({ upstream, ownCredentials }: RandomWorld, clients: readonly Client[]): string[] {
  const interests = clients.flatMap((client) => client.interests);
  const problems: string[] = [];
  for (const { kind, name, authorization, at } of upstream.requests()) {
    const dataset = name.replace(/\/operations\/.*/, "");
    const explained = interests.some(
      (interest) =>
        (ownCredentials || authorization === `Bearer ${interest.token}`) &&
        interest.from <= at &&
        at <= interest.to &&
        (interest.name === name ||
          interest.name === dataset ||
          (kind === "list" && interest.name.startsWith(`${name}/`))),
    );
    if (!explained) problems.push(`${kind} ${name} with ${authorization} at ${at} for nobody`);
  }
  return problems;
}
