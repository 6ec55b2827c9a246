import { expect, test } from "vitest";
import { createRecord } from "../../src/emulator/operation-spec.ts";
import { seededRandom } from "../../src/emulator/random.ts";
import { createStore } from "../../src/emulator/store.ts";
import { DATASET } from "./harness.ts";

const random = seededRandom(1);
const record = (id: string) => createRecord({ dataset: DATASET, id }, 0, random);

test("holds so many operations and no more, and takes no name twice", () => {
  const store = createStore(2);
  store.add(record("1"));
  expect(() => store.add(record("1"))).toThrow(`operation ${DATASET}/operations/1 exists already`);
  expect(store.isFull()).toBe(false);
  store.add(record("2"));
  expect(store.isFull()).toBe(true);
  expect(() => store.add(record("3"))).toThrow("the emulator holds 2 operations at most");
  store.remove(`${DATASET}/operations/1`);
  store.remove(`${DATASET}/operations/1`);
  store.add(record("3"));
  expect(store.operations(DATASET, 0).map(({ id }) => id)).toEqual(["3", "2"]);
  store.clear();
  expect([store.isFull(), store.datasets()]).toEqual([false, []]);
});
