import { create } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { OperationSchema } from "../../../gen/google/longrunning/operations_pb.ts";
import { Observation, OperationView } from "../../../src/waiting/facts/observation.ts";
import { encode } from "../../support/encode.ts";

function seen(sentAt: number, init: { done?: boolean; name?: string } = {}) {
  return new Observation(
    encode(OperationSchema, create(OperationSchema, { name: "n", ...init })),
    sentAt,
    1e12 + sentAt,
  );
}

function after(...observations: Observation[]) {
  const view = new OperationView();
  const news = observations.map((one) => view.merge(one, () => undefined));
  return { view, news };
}

test("what has not changed is no news, and still moves the time of the last read", () => {
  const { view, news } = after(seen(1), seen(2));
  expect(news).toEqual([true, false]);
  expect(view.latest?.sentAt).toBe(2);
  expect(view.version).toBe(1);
});

test("of two that are not done, the one that was sent later counts", () => {
  const { view, news } = after(seen(5, { name: "late" }), seen(3, { name: "early" }));
  expect(news).toEqual([true, false]);
  expect(view.latest?.operation.toMessage().name).toBe("late");
});

test("done wins over a later read that says running", () => {
  const { view, news } = after(seen(5, { done: true }), seen(9), seen(10, { done: true, name: "other" }));
  expect(news).toEqual([true, false, false]);
  expect(view.latest?.sentAt).toBe(5);
});

test("done wins over an earlier read too, and time does not go back for it", () => {
  const { view, news } = after(seen(5), seen(3, { done: true }));
  expect(news).toEqual([true, true]);
  expect(view.latest).toMatchObject({ sentAt: 5, readTime: 1e12 + 5, done: true });
});
