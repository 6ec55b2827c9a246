import { expect, it } from "vitest";
import { RequestIds } from "../../src/lib/request-ids.ts";

it("makes ids in the form of the UUID it was given, each of them once", () => {
  const ids = new RequestIds("8b2f0c7e-4d1a-4c3b-9a55-0123456789ab");
  const made = Array.from({ length: 1000 }, () => ids.next());
  expect(made[0]).toBe("8b2f0c7e-4d1a-4c3b-9a55-000000000001");
  expect(made[999]).toBe("8b2f0c7e-4d1a-4c3b-9a55-0000000003e8");
  expect(new Set(made).size).toBe(made.length);
});
