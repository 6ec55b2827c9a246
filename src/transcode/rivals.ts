import type { Binding } from "./binding.ts";
import type { PathTemplate } from "./path-template.ts";
import { compileSegmentPattern, NO_MATCH } from "./segment-pattern.ts";

/**
 * Tells whether a path that was built for one method would be taken for another one by a server that follows the same
 * rules. Wide templates allow that: with bigtable's rules, GetOperation of `operations/projects/p/operations` has the
 * URL with which the operations of `operations/projects/p` are listed.
 */
export interface Rival {
  readonly method: string;
  owns(path: string): boolean;
}

/** A method's bindings, as far as rivalry is concerned. */
export interface Competitor {
  readonly method: string;
  readonly bindings: readonly Binding[];
}

/**
 * The bindings of other methods that a server would prefer, or could, for some path of `binding`: same verb, a common
 * path, and at least as many literal segments (servers prefer literals to wildcards).
 */
export function findRivals(method: string, binding: Binding, all: readonly Competitor[]): readonly Rival[] {
  const own = flatten(binding.template);
  const rivals: Rival[] = [];
  for (const other of all) {
    if (other.method === method) continue;
    for (const { verb, template } of other.bindings) {
      if (verb !== binding.verb || template.verb !== binding.template.verb) continue;
      const segments = flatten(template);
      if (literals(segments) < literals(own) || !overlap(own, segments)) continue;
      const pattern = compileSegmentPattern(segments);
      const end = template.verb === undefined ? "" : `:${template.verb}`;
      rivals.push({
        method: other.method,
        owns: (path) => pattern.match(path.slice(1, path.length - end.length)) !== NO_MATCH,
      });
    }
  }
  return rivals;
}

/** All segments, those within variables too. */
function flatten(template: PathTemplate): readonly string[] {
  return template.segments.flatMap((segment) => (typeof segment === "string" ? [segment] : segment.pattern));
}

function literals(segments: readonly string[]): number {
  return segments.filter((segment) => !isWildcard(segment)).length;
}

function isWildcard(segment: string): boolean {
  return segment === "*" || segment === "**";
}

/** Whether some path fits both; each has at most one `**`. */
function overlap(a: readonly string[], b: readonly string[]): boolean {
  const [first, ...rest] = a;
  const [second, ...others] = b;
  if (first === undefined || second === undefined) return a.length === b.length;
  if (first !== second && !isWildcard(first) && !isWildcard(second)) return false;
  if (overlap(rest, others)) return true;
  // `**` takes at least the one segment that was just taken, and may take more.
  if (first === "**" && overlap(a, others)) return true;
  return second === "**" && overlap(rest, b);
}
