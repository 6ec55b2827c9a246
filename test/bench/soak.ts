import { CANCEL } from "./cells.ts";
import { median } from "./report.ts";
import type { Rival } from "./rivals/rivals.ts";
import { generate, type Subject, saturation, withSubjects } from "./subject.ts";
import type { Upstream } from "./upstream-process.ts";

/** Calls per second between the measurements, to each server. */
const RATE = 100;

/** What one part of the hour cost. */
export interface SoakSlice {
  readonly fromMinute: number;
  /** CPU per call beside the first server's, which does as little as can be: the machine's moods are in both. */
  readonly ratio: number;
  readonly residentKiB: number;
}

/**
 * Whether a call still costs the same after a long time: a steady load on two servers, and in each minute a moment of
 * saturation for each. Reports sixths of the time.
 */
export function measureSoak(
  raw: Rival,
  rival: Rival,
  upstream: Upstream,
  minutes: number,
  warmUpCalls: number,
): Promise<SoakSlice[]> {
  return withSubjects(CANCEL, [raw, rival], upstream, warmUpCalls, async (subjects) => {
    const [first, second] = subjects as [Subject, Subject];
    const ratios: number[] = [];
    const resident: number[] = [];
    for (let minute = 0; minute < minutes; minute++) {
      const slices: number[] = [];
      for (let i = 0; i < 3; i++) slices.push((1 / (await costOf(first))) * (await costOf(second)));
      ratios.push(median(slices));
      resident.push(second.server.resident());
      const steady = { ms: 54_000, rate: RATE, ...saturation(CANCEL) };
      await Promise.all(subjects.map((subject) => generate(subject, steady)));
    }
    const length = Math.max(1, Math.floor(minutes / 6));
    return Array.from({ length: Math.floor(minutes / length) }, (_, i) => ({
      fromMinute: i * length,
      ratio: median(ratios.slice(i * length, (i + 1) * length)),
      residentKiB: median(resident.slice(i * length, (i + 1) * length)),
    }));
  });
}

async function costOf(subject: Subject): Promise<number> {
  const before = subject.server.cpu();
  const { calls } = await generate(subject, { ms: 1_000, ...saturation(CANCEL) });
  return ((subject.server.cpu() - before) * 1e6) / calls;
}
