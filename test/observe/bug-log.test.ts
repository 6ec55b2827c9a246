import { describe, expect, it } from "vitest";
import { finishError } from "../../src/errors/fit.ts";
import { observerStages } from "../../src/gateway/observer-stages.ts";
import { BugLog } from "../../src/observe/bug-log.ts";
import type { LogFields } from "../../src/observe/log.ts";
import { createRouter } from "../../src/rpc/router.ts";
import { cpuMs } from "../support/cpu-time.ts";
import { echoRegistry, echoService, SAY } from "../support/echo-service.ts";
import { callInMemory } from "../support/in-memory.ts";

/** Calls a handler that throws `thrown`; returns the answer and what was logged. */
async function callBroken(thrown: () => never) {
  const logged: [message: string, fields: LogFields | undefined][] = [];
  const log = new BugLog({ error: (message, fields) => logged.push([message, fields]) });
  const app = createRouter([echoService({ say: thrown })], {
    registry: echoRegistry,
    stages: observerStages([log]),
  });
  const headers = { "content-type": "application/json", "x-request-id": "abc-1" };
  const answer = await callInMemory(app, { target: SAY, headers, body: [Buffer.from("{}")] });
  return { answer: String(answer.body), logged };
}

describe("BugLog", () => {
  it("writes the cause of a GATEWAY_BUG once, with its stack and the request id, and tells the caller nothing", async () => {
    const { answer, logged } = await callBroken(() => {
      const inner = new RangeError("inner");
      throw new TypeError("Cannot read properties of undefined (reading 'count')", { cause: inner });
    });
    expect(answer).toContain("GATEWAY_BUG");
    expect(answer).not.toContain("count");
    expect(logged).toHaveLength(1);
    const [message, fields] = logged[0] ?? [];
    expect(message).toBe("the gateway failed in a way it should not");
    expect(fields).toMatchObject({
      method: "test.v1.EchoService/Say",
      protocol: "connect",
      requestId: "abc-1",
    });
    const cause = String(fields?.["cause"]);
    expect(cause).toMatch(
      /^TypeError: Cannot read properties of undefined \(reading 'count'\)\n\s+at .*bug-log/,
    );
    expect(cause).toMatch(/\ncaused by RangeError: inner\n\s+at /);
  });

  it.each([
    ["a parser", () => JSON.parse('{"name": "secret" "x": `secret`}')],
    ["a parser of few characters", () => JSON.parse("secret")],
    [
      "a codec",
      () => {
        throw new Error("cannot decode `secret`: 'secret of a body' is not \"secret\"");
      },
    ],
  ])("leaves out what %s quotes", async (_who, thrown) => {
    const { logged } = await callBroken(thrown as () => never);
    expect(String(logged[0]?.[1]?.["cause"])).not.toContain("secret");
    expect(String(logged[0]?.[1]?.["cause"])).toMatch(/Error: .*\n\s+at /);
  });

  it.each([["a text"], [undefined], [null]])(
    "says that %j was thrown where an Error belongs",
    async (thrown) => {
      const { logged } = await callBroken(() => {
        throw thrown;
      });
      expect(String(logged[0]?.[1]?.["cause"])).toMatch(/^no Error but (string|undefined|null) was thrown$/);
    },
  );

  it("looks for the stack once, however many empty lines stand before it", async () => {
    const thrown = new Error(`${"\n".repeat(200_000)}x`);
    const { logged } = await callBroken(() => {
      throw thrown;
    });
    expect(String(logged[0]?.[1]?.["cause"])).toMatch(/\n {4}at /);
    const log = new BugLog({ error: () => {} });
    const bug = finishError(thrown, "abc-1");
    const call = {
      method: { parent: { typeName: "A" }, name: "B" },
      protocol: "connect",
      requestId: "abc-1",
    };
    expect(cpuMs(() => log.finished(call as never, bug))).toBeLessThan(1_000);
  });
});
