import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readTraceContext } from "../../src/lib/trace-context.ts";
import { anyText } from "../support/any-text.ts";

const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN = "00f067aa0ba902b7";
const VALID = `00-${TRACE}-${SPAN}-01`;

describe("readTraceContext", () => {
  it("reads the ids of a traceparent, and keeps both headers as they came", () => {
    expect(readTraceContext(VALID, "congo=t61rcWkgMzE,rojo@v=00f067aa")).toEqual({
      traceId: TRACE,
      spanId: SPAN,
      flags: "01",
      traceparent: VALID,
      tracestate: "congo=t61rcWkgMzE,rojo@v=00f067aa",
    });
  });

  it("reads of a later version what this one knows", () => {
    for (const later of [`01-${TRACE}-${SPAN}-01`, `cc-${TRACE}-${SPAN}-00-what-comes`])
      expect(readTraceContext(later, undefined)).toMatchObject({ traceId: TRACE, traceparent: later });
  });

  it.each([
    undefined,
    "",
    `${VALID}-more`,
    `${VALID},${VALID}`,
    ` ${VALID}`,
    VALID.toUpperCase(),
    `ff-${TRACE}-${SPAN}-01`,
    `00-${"0".repeat(32)}-${SPAN}-01`,
    `00-${TRACE}-${"0".repeat(16)}-01`,
    `00-${TRACE}-${SPAN}`,
    `00-${TRACE.slice(1)}-${SPAN}-01`,
    `00-${TRACE}"${SPAN}-01`,
    `01-${TRACE}-${SPAN}-01.more`,
    `01-${TRACE}-${SPAN}-01-${"x".repeat(250)}`,
    `${VALID}\r\nauthorization: Bearer x`,
  ])("takes %j for none, and its tracestate with it", (traceparent) => {
    expect(readTraceContext(traceparent, "a=1")).toBeUndefined();
  });

  it.each(["A=1", "a", "a=", "a=1=2", "a=ü", "=1", "a=1\r\nx: y", `a=${"x".repeat(300)}`, "b=1,".repeat(33)])(
    "leaves a tracestate of %j behind, and keeps the trace",
    (tracestate) => {
      expect(readTraceContext(VALID, tracestate)).toMatchObject({ traceId: TRACE, tracestate: undefined });
    },
  );

  it("lets nothing through that could end a header line or a text of JSON", () => {
    const noise = anyText({ maxLength: 20 });
    const text = fc.tuple(noise, fc.constantFrom("", VALID, `cc-${TRACE}-${SPAN}-00-`), noise);
    fc.assert(
      fc.property(text, text, (first, second) => {
        const read = readTraceContext(first.join(""), second.join(""));
        expect(`${read?.traceId}${read?.spanId}${read?.flags}`).toMatch(/^(?:undefined)*$|^[0-9a-f]{50}$/);
        expect(`${read?.traceparent}${read?.tracestate}`).toMatch(/^[\x20-\x7e]*$/);
      }),
    );
  });
});
