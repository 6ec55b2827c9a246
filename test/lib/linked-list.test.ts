import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Link, LinkedList } from "../../src/lib/linked-list.ts";

function values<T>(list: LinkedList<T>): T[] {
  const found: T[] = [];
  for (let link = list.first; link; link = link.after) found.push(link.value);
  return found;
}

describe("LinkedList", () => {
  it("holds what a Set would hold, in the same order, whoever leaves when, and twice", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(30), { maxLength: 200 }), (steps) => {
        const list = new LinkedList<number>();
        const links: Link<number>[] = [];
        const set = new Set<number>();
        for (const [n, step] of steps.entries()) {
          const link = links[step];
          if (link) {
            list.remove(link);
            set.delete(link.value);
          } else {
            links.push(list.add(n));
            set.add(n);
          }
          expect(values(list)).toEqual([...set]);
          expect(list.size).toBe(set.size);
        }
      }),
    );
  });

  it("leaves nothing in a link that is out by which it could keep others alive", () => {
    const list = new LinkedList<string>();
    const [, link] = [list.add("a"), list.add("b"), list.add("c")];
    list.remove(link);
    expect(link).toMatchObject({ before: undefined, after: undefined });
  });
});
