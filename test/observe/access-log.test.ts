import { create } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import { Operations } from "../../gen/google/longrunning/operations_pb.ts";
import { ErrorInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import { Health } from "../../gen/grpc/health/v1/health_pb.ts";
import { errorFromFailure, UpstreamFailure } from "../../src/errors/from-failure.ts";
import { gatewayError } from "../../src/errors/reasons.ts";
import { readTraceContext } from "../../src/lib/trace-context.ts";
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
    log.finished(call, undefined);
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
    for (let i = 0; i < 5; i++)
      log.finished({ ...call, upstreamOutcome: undefined }, i === 0 ? undefined : new ConnectError("", i));
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
    for (let i = 0; i < 1_000; i++) log.finished(call, undefined);
    expect(written.length).toBeGreaterThan(2);
    log.flush();
    const all = written.slice(1).join("").trimEnd().split("\n");
    expect(all).toHaveLength(1_000);
    for (const line of all) expect(JSON.parse(line).message).toBe("rpc");
  });

  it("marks what is the server's fault as an error", () => {
    const { written, log, call } = setUp();
    for (const code of [13, 2, 15, 14, 5]) log.finished(call, new ConnectError("", code));
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

  it("says why a call failed in words that programs can count, and no text", () => {
    const { written, log, call } = setUp();
    const refused = Object.assign(new Error("connect ECONNREFUSED 10.1.2.3:443"), { code: "ECONNREFUSED" });
    const unasked = { ...call, upstreamOutcome: undefined };
    const sent = new UpstreamFailure("connect", undefined, { cause: refused });
    const upstreams = new ConnectError("patient 7", Code.PermissionDenied);
    const info = (reason: string, domain: string) => ({
      desc: ErrorInfoSchema,
      value: create(ErrorInfoSchema, { reason, domain, metadata: { attempts: "9" } }),
    });
    upstreams.details.push(info("SERVICE_DISABLED", "googleapis.com"));
    const hostile = new ConnectError("", Code.Aborted);
    hostile.details.push(info('A","x":"', 'evil"\n'));
    log.finished(unasked, errorFromFailure(sent, 3));
    log.finished(call, errorFromFailure(new UpstreamFailure("headers-timeout"), 3));
    log.finished(unasked, gatewayError("NOTHING_READ", "", { cause: errorFromFailure(sent) }));
    log.finished(unasked, gatewayError("NOTHING_READ", "", { cause: gatewayError("SLOW_READER", "") }));
    log.finished(call, upstreams);
    log.finished(call, hostile);
    log.flush();
    const lines = (written[0] ?? "").trimEnd().split("\n");
    const facts = lines.map((line) => {
      const { code, reason, domain, cause, attempts } = JSON.parse(line);
      return { code, reason, domain, cause, attempts };
    });
    expect(facts).toEqual([
      { code: "UNAVAILABLE", reason: "UPSTREAM_UNREACHABLE", cause: "ECONNREFUSED", attempts: 3 },
      { code: "DEADLINE_EXCEEDED", reason: "UPSTREAM_TIMEOUT", cause: "headers-timeout", attempts: 2 },
      { code: "UNAVAILABLE", reason: "NOTHING_READ", cause: "ECONNREFUSED" },
      { code: "UNAVAILABLE", reason: "NOTHING_READ", cause: "SLOW_READER" },
      { code: "PERMISSION_DENIED", reason: "SERVICE_DISABLED", domain: "googleapis.com", attempts: 2 },
      { code: "ABORTED", reason: "_OTHER", domain: "_OTHER", attempts: 2 },
    ]);
    expect(written[0]).not.toMatch(/10\.1\.2\.3|patient|evil/);
  });

  it("names the caller's trace and span, where a valid traceparent came", () => {
    const { written, log, call } = setUp();
    const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    log.finished({ ...call, trace: readTraceContext(traceparent, undefined) }, undefined);
    log.flush();
    expect(JSON.parse(written[0] ?? "")).toMatchObject({
      trace_id: "4bf92f3577b34da6a3ce929d0e0e4736",
      span_id: "00f067aa0ba902b7",
      trace_flags: "01",
      requestId: "abc-1",
    });
  });

  it("says of a request that is no call only what became of it", () => {
    const { written, log } = setUp();
    log.refused(
      { peer: "unix", httpVersion: "1.1", requestId: "abc-2" },
      { httpStatus: 404, reason: "METHOD_UNKNOWN" },
    );
    log.refused(
      { peer: "unix", httpVersion: "2", requestId: "abc-3" },
      gatewayError("METHOD_UNKNOWN", "secret/path is not served"),
    );
    log.flush();
    const lines = (written[0] ?? "")
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(lines).toMatchObject([
      {
        method: "_OTHER",
        httpStatus: 404,
        reason: "METHOD_UNKNOWN",
        httpVersion: "1.1",
        peer: "unix",
        requestId: "abc-2",
      },
      { method: "_OTHER", code: "UNIMPLEMENTED", reason: "METHOD_UNKNOWN", httpVersion: "2" },
    ]);
    expect(written[0]).not.toContain("secret");
  });

  it("leaves out the calls of health checks", () => {
    const { written, log, call } = setUp();
    log.finished({ ...call, method: Health.method.check }, undefined);
    log.flush();
    expect(written).toEqual([]);
  });
});
