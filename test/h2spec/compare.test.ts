import { describe, expect, it } from "vitest";
import { better, compare } from "./compare.ts";
import { type Report, readReport, type Verdict } from "./report.ts";

/** As h2spec writes it, with a NUL in the middle. */
const XML = `<?xml version="1.0" encoding="UTF-8"?>
<testsuites>
  <testsuite name="5.1. Stream States" package="http2/5.1" id="5.1" tests="2" skipped="0" failures="0" errors="1">
    <testcase package="http2/5.1" classname="idle: Sends a DATA frame" time="0.0003"></testcase>
    <testcase package="http2/5.1" classname="closed: Sends a DATA frame" time="2.0038">
      <error>GOAWAY Frame (Error Code: STREAM_CLOSED)\0
Timeout</error>
    </testcase>
  </testsuite>
  <testsuite name="6.1. DATA" package="http2/6.1" id="6.1" tests="2" skipped="1" failures="1" errors="0">
    <testcase package="http2/6.1" classname="not in &#34;open&#34; state" time="0.1">
      <skipped></skipped>
    </testcase>
    <testcase package="http2/6.1" classname="idle: Sends a DATA frame" time="0.1"><failure>x</failure></testcase>
  </testsuite>
</testsuites>`;

describe("readReport()", () => {
  it("reads every case with its verdict", () => {
    expect([...readReport(XML)]).toEqual([
      ["http2/5.1: idle: Sends a DATA frame", "passed"],
      ["http2/5.1: closed: Sends a DATA frame", "failed"],
      ['http2/6.1: not in "open" state', "skipped"],
      ["http2/6.1: idle: Sends a DATA frame", "failed"],
    ]);
  });

  it("takes an empty report, and one that names a case twice, for what they are", () => {
    expect(() => readReport("<testsuites></testsuites>")).toThrow("no cases");
    expect(() => readReport(XML + XML)).toThrow("two cases http2/5.1: idle");
  });
});

const report = (...verdicts: (Verdict | undefined)[]): Report =>
  new Map(verdicts.flatMap((verdict, i): [string, Verdict][] => (verdict ? [[`case ${i}`, verdict]] : [])));

describe("compare()", () => {
  it("finds nothing in equal runs, failed cases among them", () => {
    const run = report("passed", "failed", "skipped");
    expect(compare(run, run)).toEqual([]);
  });

  it.each<[Verdict, Verdict | undefined]>([
    ["passed", "failed"],
    ["passed", "skipped"],
    ["passed", undefined],
    ["skipped", "failed"],
    ["failed", undefined],
  ])("calls it worse when the bare server %s and the gateway %s", (bare, gateway) => {
    expect(compare(report("passed", bare), report("passed", gateway))).toEqual([
      { name: "case 1", bare, gateway: gateway ?? "missing", worse: true },
    ]);
  });

  it.each<[Verdict | undefined, Verdict]>([
    ["failed", "passed"],
    ["skipped", "passed"],
    ["failed", "skipped"],
    [undefined, "failed"],
  ])("shows a difference that is none for the worse: bare %s, gateway %s", (bare, gateway) => {
    expect(compare(report("passed", bare), report("passed", gateway))).toMatchObject([
      { name: "case 1", worse: false },
    ]);
  });
});

it("takes the better of two runs of one server", () => {
  const best = better(report("passed", "failed", "failed", "skipped"), report("failed", "passed", "failed"));
  expect([...best.values()]).toEqual(["passed", "passed", "failed", "skipped"]);
});
