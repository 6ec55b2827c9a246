/**
 * A google.protobuf.Timestamp in JSON with microseconds, as Google prints them: `2026-03-01T09:30:00.123456Z`.
 *
 * `ms` counts milliseconds since the Unix epoch; its fraction becomes the microseconds.
 */
export function timestamp(ms: number): string {
  const whole = Math.floor(ms);
  const micros = Math.min(999, Math.round((ms - whole) * 1000));
  const text = new Date(whole).toISOString();
  return `${text.slice(0, -1)}${String(micros).padStart(3, "0")}Z`;
}
