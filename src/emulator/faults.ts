import { type Delivery, readDelivery } from "./delivery.ts";
import { type FaultAnswer, readFaultAnswer } from "./fault-answer.ts";
import { readObject } from "./input.ts";
import type { Json } from "./json.ts";
import type { Random } from "./random.ts";
import { METHODS, type Method } from "./settings.ts";

/** Which requests a fault hits; every part that is given must fit. */
export interface FaultMatch {
  readonly method?: Method | "unknown" | undefined;
  readonly verb?: string | undefined;
  /** Name of the operation, dataset or location; `*` stands for any characters. */
  readonly name?: string | undefined;
  /** Raw path of the request, without query; `*` stands for any characters. */
  readonly path?: string | undefined;
}

/** A fault as it is asked for; the control endpoint takes the same keys. */
export interface FaultSpec {
  readonly match?: FaultMatch | undefined;
  /** How many requests it hits. Default: every one until it is removed. */
  readonly times?: number | undefined;
  /** So many matching requests pass unharmed first. Default 0. */
  readonly skip?: number | undefined;
  /** It ends after so many milliseconds. Default: never. */
  readonly forMs?: number | undefined;
  /** The share of matching requests that it hits, 0 to 1. Default 1. */
  readonly probability?: number | undefined;
  /** Milliseconds before the request takes effect. */
  readonly delayMs?: number | undefined;
  /** Milliseconds from the effect to the answer. */
  readonly answerDelayMs?: number | undefined;
  /** Whether the request takes effect (a cancel is accepted). Default: yes, unless there is an `answer`. */
  readonly apply?: boolean | undefined;
  /** What is answered in place of the truth. */
  readonly answer?: FaultAnswer | undefined;
  /** How the answer is put on the wire. */
  readonly delivery?: Delivery | undefined;
  /** Reads show the state of so many milliseconds ago. */
  readonly staleMs?: number | undefined;
  /** Lists answer a page without operations but with a token to go on. */
  readonly emptyPage?: boolean | undefined;
}

/** What a request is matched by. */
export interface FaultTarget {
  readonly method: Method | "unknown";
  readonly verb: string;
  readonly name: string;
  readonly path: string;
}

/** A fault that is in force, with what it has done so far. */
export interface ActiveFault {
  readonly id: number;
  readonly spec: FaultSpec;
  /** Requests that it matched, and those of them that it hit. */
  matched: number;
  hit: number;
  /** Monotonic milliseconds; `Infinity`: no end. */
  readonly until: number;
}

/** The faults in force, in the order in which they came. */
export interface Faults {
  add(spec: FaultSpec, now: number): ActiveFault;
  /** The first fault that hits this request, counted; `undefined`: none does. */
  strike(target: FaultTarget, now: number): ActiveFault | undefined;
  list(): readonly ActiveFault[];
  /** Returns whether there was one. */
  remove(id: number): boolean;
  clear(): void;
}

/** Creates an empty set of {@link Faults}; `random` decides where a probability is given. */
export function createFaults(random: Random): Faults {
  let faults: ActiveFault[] = [];
  let lastId = 0;
  return {
    add(spec, now) {
      const until = now + (spec.forMs ?? Number.POSITIVE_INFINITY);
      const fault: ActiveFault = { id: ++lastId, spec, matched: 0, hit: 0, until };
      faults.push(fault);
      return fault;
    },
    strike(target, now) {
      for (const fault of faults) {
        const { match = {}, skip = 0, times = Number.POSITIVE_INFINITY, probability = 1 } = fault.spec;
        if (now >= fault.until || fault.hit >= times || !fits(match, target)) continue;
        fault.matched++;
        if (fault.matched <= skip || (probability < 1 && random() >= probability)) continue;
        fault.hit++;
        return fault;
      }
      return undefined;
    },
    list: () => faults,
    remove(id) {
      const before = faults.length;
      faults = faults.filter((fault) => fault.id !== id);
      return faults.length < before;
    },
    clear() {
      faults = [];
    },
  };
}

/** Reads a fault in the form of the control endpoint. Throws a RangeError that names a wrong key and what is allowed. */
export function readFault(value: Json): FaultSpec {
  const input = readObject(value, "fault");
  const match = input.object("match");
  const answer = input.object("answer");
  const delivery = input.object("delivery");
  const spec: FaultSpec = {
    match: match && {
      method: match.oneOf("method", [...METHODS, "unknown"] as const),
      verb: match.string("verb"),
      name: match.string("name"),
      path: match.string("path"),
    },
    times: input.number("times", 1),
    skip: input.number("skip"),
    forMs: input.number("forMs"),
    probability: input.number("probability"),
    delayMs: input.number("delayMs"),
    answerDelayMs: input.number("answerDelayMs"),
    apply: input.boolean("apply"),
    answer: answer && readFaultAnswer(answer),
    delivery: delivery && readDelivery(delivery),
    staleMs: input.number("staleMs"),
    emptyPage: input.boolean("emptyPage"),
  };
  match?.end();
  input.end();
  const silent = spec.delivery?.reset === "before-headers" || spec.delivery?.hang === "before-headers";
  if (spec.apply === false && !spec.answer && !silent) {
    throw new RangeError(
      'fault.apply: false needs an answer, or a delivery with reset or hang "before-headers": a request without effect has no true answer',
    );
  }
  return spec;
}

function fits(match: FaultMatch, target: FaultTarget): boolean {
  return (
    (match.method === undefined || match.method === target.method) &&
    (match.verb === undefined || match.verb === target.verb) &&
    (match.name === undefined || wildcard(match.name, target.name)) &&
    (match.path === undefined || wildcard(match.path, target.path))
  );
}

/** Whether `text` fits `pattern`, in which `*` stands for any characters. */
export function wildcard(pattern: string, text: string): boolean {
  const [first = "", ...rest] = pattern.split("*");
  if (!text.startsWith(first)) return false;
  let from = first.length;
  for (const [index, part] of rest.entries()) {
    const isLast = index === rest.length - 1;
    const at = isLast ? text.length - part.length : text.indexOf(part, from);
    if (at < from || !text.startsWith(part, at)) return false;
    from = at + part.length;
  }
  return from === text.length;
}
