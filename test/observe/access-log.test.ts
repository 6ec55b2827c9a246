import { describe, expect, it } from "vitest";
import { Operations } from "../../gen/google/longrunning/operations_pb.ts";
import { Health } from "../../gen/grpc/health/v1/health_pb.ts";
import { AccessLog } from "../../src/observe/access-log.ts";
import type { ObservedCall } from "../../src/observe/observed-call.ts";
import { ManualClock } from "../support/manual-clock.ts";

function setUp() {
  const clock = new ManualClock();
  const written: string[] = [];
  const log = new AccessLog({ clock, pid: 7, write: (lines) => written.push(lines) });
  const call: ObservedCall = {
    method: Operations.method.getOperation,
    protocol: "grpc",
    openedAt: clock.monotonic(),
    peer: "127.0.0.1:1234",
    requestId: "abc-1",
    requestBytes: 66,
    responseBytes: 312,
    responseMessages: 1,
    upstreamOutcome: { httpStatus: 200, attempts: 2 },
  };
  return { clock, written, log, call };
}

describe("AccessLog", () => {
  it("writes one line of JSON for a call", async () => {
    const { clock, written, log, call } = setUp();
    await clock.advance(41);
    log.finished(call, 0);
    expect(written).toEqual([]);
    await clock.advance(10);
    expect(written).toHaveLength(1);
    expect(JSON.parse(written[0] ?? "")).toEqual({
      severity: "INFO",
      time: "2026-11-24T00:16:40.041Z",
      pid: 7,
      method: "google.longrunning.Operations/GetOperation",
      protocol: "grpc",
      code: "OK",
      durationMs: 41,
      requestBytes: 66,
      responseBytes: 312,
      responseMessages: 1,
      peer: "127.0.0.1:1234",
      requestId: "abc-1",
      upstreamStatus: 200,
      attempts: 2,
      message: "rpc",
    });
  });

  it("writes the lines of 10 ms together, and large amounts at once", async () => {
    const { clock, written, log, call } = setUp();
    for (let i = 0; i < 5; i++) log.finished({ ...call, upstreamOutcome: undefined }, i);
    await clock.advance(10);
    expect(written).toHaveLength(1);
    const lines = (written[0] ?? "").trimEnd().split("\n");
    expect(lines.map((line) => JSON.parse(line).code)).toEqual([
      "OK",
      "CANCELLED",
      "UNKNOWN",
      "INVALID_ARGUMENT",
      "DEADLINE_EXCEEDED",
    ]);
    expect(JSON.parse(lines[0] ?? "")).not.toHaveProperty("upstreamStatus");
    for (let i = 0; i < 1_000; i++) log.finished(call, 0);
    expect(written.length).toBeGreaterThan(2);
    log.flush();
    const all = written.slice(1).join("").trimEnd().split("\n");
    expect(all).toHaveLength(1_000);
    for (const line of all) expect(JSON.parse(line).message).toBe("rpc");
  });

  it("marks what is the server's fault as an error", () => {
    const { written, log, call } = setUp();
    for (const code of [13, 2, 15, 14, 5]) log.finished(call, code);
    log.flush();
    const severities = (written[0] ?? "").trimEnd().split("\n");
    expect(severities.map((line) => JSON.parse(line).severity)).toEqual([
      "ERROR",
      "ERROR",
      "ERROR",
      "INFO",
      "INFO",
    ]);
  });

  it("says of a request that is no call only what became of it", () => {
    const { written, log } = setUp();
    log.refused({ peer: "unix", httpVersion: "1.1" }, { httpStatus: 404 });
    log.refused({ peer: "unix", httpVersion: "2" }, { code: 12 });
    log.flush();
    const lines = (written[0] ?? "")
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(lines).toMatchObject([
      { method: "_OTHER", httpStatus: 404, httpVersion: "1.1", peer: "unix" },
      { method: "_OTHER", code: "UNIMPLEMENTED", httpVersion: "2" },
    ]);
  });

  it("leaves out the calls of health checks", () => {
    const { written, log, call } = setUp();
    log.finished({ ...call, method: Health.method.check }, 0);
    log.flush();
    expect(written).toEqual([]);
  });
});
