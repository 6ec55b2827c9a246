import fc from "fast-check";
import { expect, test } from "vitest";
import { DueQueue } from "../../../src/waiting/schedule/due-queue.ts";

test("gives entries by due time, whatever was put, moved and removed before", () => {
  const step = fc.record({ entry: fc.nat(9), due: fc.integer({ min: 0, max: 100 }), remove: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const queue = new DueQueue<{ due: number; place: number; id: number }>();
      const entries = Array.from({ length: 10 }, (_, id) => ({ due: 0, place: -1, id }));
      const expected = new Map<number, number>();
      for (const { entry, due, remove } of steps) {
        if (remove) {
          queue.remove(entries[entry]!);
          expected.delete(entry);
        } else {
          entries[entry]!.due = due;
          queue.put(entries[entry]!);
          expected.set(entry, due);
        }
        expect(queue.size).toBe(expected.size);
        expect(queue.first?.due).toBe(expected.size ? Math.min(...expected.values()) : undefined);
      }
      const left: number[] = [];
      for (let first = queue.first; first; first = queue.first) {
        left.push(first.due);
        queue.remove(first);
        expect(first.place).toBe(-1);
      }
      expect(left).toEqual([...expected.values()].sort((a, b) => a - b));
    }),
  );
});
