import fc from "fast-check";
import { expect, test } from "vitest";
import { SmallSet } from "../../src/lib/small-set.ts";

test("holds what a Set would hold, in the same order, whoever comes and leaves when", () => {
  const members = Array.from({ length: 4 }, (_, n) => ({ n }));
  const step = fc.record({ member: fc.constantFrom(...members), leaves: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const small = new SmallSet<{ n: number }>();
      const set = new Set<{ n: number }>();
      for (const { member, leaves } of steps) {
        if (leaves) expect(small.delete(member)).toBe(set.delete(member));
        else {
          small.add(member);
          set.add(member);
        }
        const held: { n: number }[] = [];
        small.forEach((one) => {
          held.push(one);
        });
        expect(held).toEqual([...set]);
        expect([small.size, small.first]).toEqual([set.size, [...set][0]]);
        expect(small.some(({ n }) => n === 2)).toBe(set.has(members[2]!));
      }
    }),
  );
});

test("lets members leave while they are told, and is empty when it is cleared", () => {
  for (const count of [1, 3]) {
    const set = new SmallSet<{ n: number }>();
    for (let n = 0; n < count; n++) set.add({ n });
    set.forEach((member) => {
      set.delete(member);
    });
    expect(set.size).toBe(0);
    set.add({ n: 9 });
    set.clear();
    expect([set.size, set.first]).toEqual([0, undefined]);
  }
});
