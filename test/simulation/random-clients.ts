import type { Message } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import type { Operation } from "../../gen/google/longrunning/operations_pb.ts";
import {
  WatchOperationResponse_Kind as Kind,
  CancelAndWaitResponse_Outcome as Outcome,
  State,
  type WatchOperationResponse,
} from "../../gen/lrogateway/v1/operation_watcher_pb.ts";
import { isEncoded } from "../../src/lib/encoded.ts";
import type { ResponseStream } from "../../src/rpc/handler.ts";
import { cancelAndWait } from "../../src/waiting/cancel/cancel-and-wait.ts";
import { waitForOperation } from "../../src/waiting/deliver/wait-for-operation.ts";
import type { SeenRequest } from "../support/simulated-upstream.ts";
import { StreamReader } from "../support/stream-reader.ts";
import {
  AUTHORIZE_MS,
  CALM,
  type Interest,
  type RandomWorld,
  REAUTHORIZE_MS,
  type Token,
} from "./random-world.ts";

/** How far a moment that is told by a `date` may be off: a second, and the way of a slow answer. */
const DATE_MS = 2_000;

/** States that are never left. */
export const TERMINAL: ReadonlySet<State> = new Set([
  State.SUCCEEDED,
  State.FAILED,
  State.CANCELLED,
  State.DONE_WITHOUT_RESULT,
]);

/** The state that an operation has in truth when it is over. */
export function trueState(world: RandomWorld, name: string): State {
  const operation = world.upstream.operations.get(name)!;
  if (world.upstream.wasCancelled(operation)) return State.CANCELLED;
  const states = { response: State.SUCCEEDED, error: State.FAILED, nothing: State.DONE_WITHOUT_RESULT };
  return states[operation.ending];
}

/** One client of the simulation: does its part, and notes what it must not see. */
export abstract class Client {
  readonly problems: string[] = [];
  readonly interests: Interest[] = [];
  done = false;
  protected readonly world: RandomWorld;
  protected readonly token: Token;
  protected readonly name: string;

  constructor(world: RandomWorld, token: Token, name: string) {
    this.world = world;
    this.token = token;
    this.name = name;
  }

  abstract start(): void;

  /** What it must have come to when everything is over. */
  abstract check(): void;

  protected get allowed(): boolean {
    return this.world.allowed(`Bearer ${this.token}`, this.name);
  }

  /** His right is withdrawn by now. */
  protected get revoked(): boolean {
    return this.now >= this.world.revokedAt(this.token);
  }

  protected problem(text: string): void {
    this.problems.push(`${this.constructor.name} ${this.token} ${this.name} at ${this.now}: ${text}`);
  }

  protected get now(): number {
    return this.world.clock.monotonic();
  }

  protected begin(): Interest {
    const interest = { token: this.token, name: this.name, from: this.now, to: Number.POSITIVE_INFINITY };
    this.interests.push(interest);
    return interest;
  }

  /** Opens a stream; one that is refused at the door ends at once, with the refusal. */
  protected open<T extends Message>(
    make: () => ResponseStream<T>,
    onMessage: (message: T) => void,
    onEnd: (error: ConnectError | undefined) => void,
  ): StreamReader<T> | undefined {
    try {
      const reader = new StreamReader(make(), onMessage);
      reader.end.then(onEnd);
      return reader;
    } catch (error) {
      onEnd(ConnectError.from(error));
      return undefined;
    }
  }

  protected see(operation: Operation): void {
    if (operation.name !== this.name) this.problem(`got ${operation.name}`);
    if (!this.allowed) this.problem("got what it has no right to");
    const { from } = this.interests.at(-1)!;
    const revokedAt = this.world.revokedAt(this.token);
    if (from > revokedAt || this.now > revokedAt + REAUTHORIZE_MS + AUTHORIZE_MS + 1)
      this.problem("got what was withdrawn");
    const truth = this.world.upstream.operations.get(this.name)!;
    if (operation.done && !this.world.upstream.isDone(truth)) this.problem("done before it was");
  }

  protected expectCode(error: ConnectError, codes: readonly Code[]): void {
    const has = this.allowed && !this.revoked;
    const legal = has ? codes : [...codes, Code.PermissionDenied];
    if (!legal.includes(error.code)) this.problem(`ended with ${error.code}: ${error.rawMessage}`);
    if (error.code === Code.PermissionDenied && has) this.problem("was refused its right");
    // Whom the door has not let in, nobody reads for.
    const interest = this.interests.at(-1)!;
    const shutOut = !this.allowed || interest.from >= this.world.revokedAt(this.token);
    if (this.world.ownCredentials && shutOut) interest.to = Number.NEGATIVE_INFINITY;
  }
}

/** Waits once, for as long as chance says. */
export class WaitingClient extends Client {
  private result: "done" | "running" | "error" | undefined;

  async start(): Promise<void> {
    const { random, engine, clock } = this.world;
    const timeoutMs = random.pick([undefined, 0, random.between(1, 60_000)]);
    const deadline = random.pick([undefined, random.between(100, 90_000)]);
    const call = this.world.call({ token: this.token, ...(deadline && { timeoutMs: deadline }) });
    const end =
      this.now + Math.min(timeoutMs ?? 3_600_000, (deadline ?? 4e6) - Math.min(100, (deadline ?? 0) / 10));
    const interest = this.begin();
    try {
      const operation = (await waitForOperation(engine, this.name, timeoutMs, call)).toMessage();
      this.see(operation);
      this.result = operation.done ? "done" : "running";
      if (!operation.done && timeoutMs !== 0 && Math.abs(this.now - end) > 1) this.problem("ended early");
    } catch (error) {
      this.result = "error";
      this.expectCode(ConnectError.from(error), [Code.Unavailable]);
      if (ConnectError.from(error).code === Code.Unavailable && timeoutMs !== 0 && this.now < end - 1)
        this.problem("gave up early");
    }
    const has = this.allowed && !this.revoked;
    if (timeoutMs === undefined && deadline === undefined && has && this.result !== "done")
      this.problem(`a wait without an end ended ${this.result}`);
    if (clock.monotonic() > end + 1 + AUTHORIZE_MS && timeoutMs !== 0) this.problem("ended late");
    call.answered();
    interest.to = Math.min(interest.to, this.now);
    this.done = true;
  }

  check(): void {
    if (!this.done) this.problem("still waits");
  }
}

/** Watches until the terminal state, attaching again when its stream ends; may go away before, or stop reading. */
export class WatchingClient extends Client {
  private terminal: State | undefined;
  private gone = false;
  private reader: StreamReader<WatchOperationResponse> | undefined;

  start(): void {
    const { random, clock } = this.world;
    this.attach();
    if (random.chance(0.3)) clock.setTimer(random.between(0, 90_000), () => this.goAway());
    if (random.chance(0.2)) clock.setTimer(random.between(0, 90_000), () => this.pause());
  }

  check(): void {
    if (this.gone) return;
    if (this.terminal === undefined && this.revoked) return;
    if (this.allowed && this.terminal !== trueState(this.world, this.name))
      this.problem(`ended with ${this.terminal}, in truth ${trueState(this.world, this.name)}`);
  }

  private attach(): void {
    const { engine, random } = this.world;
    const call = this.world.call({ token: this.token });
    const interest = this.begin();
    let last = Number.NEGATIVE_INFINITY;
    let ended = false;
    const onMessage = (message: WatchOperationResponse): void => {
      const readTime = message.readTime
        ? Number(message.readTime.seconds) * 1e3 + message.readTime.nanos / 1e6
        : last;
      if (readTime < last) this.problem("read_time went back");
      last = readTime;
      if (ended) this.problem("a message after the terminal state");
      if (message.kind !== Kind.STATE) return;
      this.see(message.operation!);
      if (!TERMINAL.has(message.state)) return;
      ended = true;
      this.terminal = message.state;
    };
    const onEnd = (error: ConnectError | undefined): void => {
      interest.to = Math.min(interest.to, this.now);
      this.ended(error, ended, random);
    };
    this.reader = this.open(() => engine.watchOperation(this.name, call), onMessage, onEnd);
  }

  private ended(error: ConnectError | undefined, terminal: boolean, random: RandomWorld["random"]): void {
    if (this.gone || terminal) {
      if (terminal && error) this.problem(`the terminal state came with ${error.message}`);
      this.done = true;
      return;
    }
    if (!error) this.problem("ended with OK and no terminal state");
    else this.expectCode(error, [Code.Unavailable, Code.ResourceExhausted]);
    if (error?.code === Code.PermissionDenied) this.done = true;
    else this.world.clock.setTimer(random.between(0, 2_000), () => !this.gone && this.attach());
  }

  private goAway(): void {
    if (this.done) return;
    this.gone = true;
    this.reader?.leave();
  }

  private pause(): void {
    const { reader } = this;
    reader?.block();
    this.world.clock.setTimer(this.world.random.between(0, 60_000), () => reader?.unblock());
  }
}

/** Cancels and waits for the outcome. */
export class CancellingClient extends Client {
  async start(): Promise<void> {
    const { random, engine, upstream } = this.world;
    const call = this.world.call({ token: this.token });
    const truth = upstream.operations.get(this.name)!;
    const timeoutMs = random.pick([undefined, random.between(0, 30_000)]);
    const interest = this.begin();
    this.world.cancels.push(interest);
    try {
      const answer = await cancelAndWait(engine, this.name, timeoutMs, call);
      const { outcome, operation } = isEncoded(answer) ? answer.toMessage() : answer;
      if (operation) this.see(operation);
      this.checkOutcome(outcome, interest, truth.cancelledAt);
    } catch (error) {
      this.expectCode(ConnectError.from(error), [Code.Unavailable]);
      if (timeoutMs === undefined && this.allowed && !this.revoked)
        this.problem("was not resolved in an hour");
    }
    interest.to = Math.min(interest.to, this.now);
    this.done = true;
  }

  check(): void {
    if (!this.done) this.problem("still waits");
  }

  private checkOutcome(outcome: Outcome, interest: Interest, cancelledAt: number | undefined): void {
    const { upstream } = this.world;
    const truth = upstream.operations.get(this.name)!;
    const over = upstream.isDone(truth);
    const state = trueState(this.world, this.name);
    const end = upstream.endOf(truth);
    const posts = this.posts(interest);
    // A `date` counts whole seconds: what has ended shortly before may have ended after, for all that can be told.
    const shortly = upstream.behaviour.clockAhead === undefined ? 0 : DATE_MS;
    const endedBefore = posts.every(({ at }) => end <= at - shortly);
    // What ends while the POST is on its way is done before for the upstream, which refuses it.
    const endedAfterAll = posts.every(({ arrived }) => arrived < end);
    const legal: Record<Outcome, boolean> = {
      [Outcome.OUTCOME_UNSPECIFIED]: false,
      [Outcome.CANCELLED]: over && state === State.CANCELLED && !endedBefore,
      [Outcome.COMPLETED]:
        over && (state === State.SUCCEEDED || state === State.DONE_WITHOUT_RESULT) && !endedBefore,
      [Outcome.FAILED]: over && state === State.FAILED && !endedBefore,
      [Outcome.ALREADY_DONE]: over && !endedAfterAll,
      [Outcome.STILL_RUNNING]: cancelledAt !== undefined,
      [Outcome.NOT_FOUND]: false,
    };
    if (!legal[outcome])
      this.problem(`outcome ${outcome}; over ${over}, state ${state}, before ${endedBefore}`);
  }

  /** The POSTs that may have been the first of this cancel: it may have joined one that was under way. */
  private posts(interest: Interest): SeenRequest[] {
    const { cancels, upstream, ownCredentials } = this.world;
    const others = cancels.filter(
      (other) => (ownCredentials || other.token === this.token) && other.name === this.name,
    );
    let { from } = interest;
    // One may have joined another who had joined a third.
    for (const other of others.toSorted((a, b) => b.from - a.from))
      if (other.from <= from && other.to >= from) from = other.from;
    return upstream
      .requests("cancel")
      .filter(
        ({ name, authorization, at }) =>
          name === this.name && (ownCredentials || authorization === `Bearer ${this.token}`) && at >= from,
      );
  }
}

/** Asks again and again, as clients without a watcher do. */
export class PollingClient extends Client {
  async start(): Promise<void> {
    const { random, engine, clock } = this.world;
    for (let n = random.below(10); n > 0; n--) {
      const interest = this.begin();
      const began = this.now;
      try {
        const call = this.world.upstreamCall({ token: this.token });
        const operation = (await engine.get(this.name, call)).toMessage();
        this.see(operation);
        if (this.now > CALM + 30_000 && began > CALM + 30_000)
          if (
            operation.done !==
              this.world.upstream.isDone(this.world.upstream.operations.get(this.name)!, began) &&
            !operation.done
          )
            this.problem("read its own past");
      } catch {
        // A plain read may fail as the upstream does.
      }
      interest.to = Math.min(interest.to, this.now);
      await clock.sleep(random.between(10, 20_000));
    }
    this.done = true;
  }

  check(): void {
    if (!this.done) this.problem("still polls");
  }
}
