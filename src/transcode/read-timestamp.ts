/** Bytes of `2026-02-03T04:05:06`. */
const SECONDS_LENGTH = 19;
/** 9999-12-31T23:59:59Z, the last that a Timestamp may hold. */
const MAX_SECONDS = 253_402_300_799;
/** Bytes of `+01:00`. */
const OFFSET_LENGTH = 6;
const DAYS_BEFORE_MONTH = [0, 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];

/** `Z`, the end of a time in UTC. */
export const UTC = 0x5a;

/**
 * Reads the seconds of an RFC 3339 time (`2026-02-03T04:05:06.070809Z`, or with `+01:00`) between `start` and `end`, from
 * 1970 to 9999. Returns seconds since the Unix epoch; -1 for anything else, right or wrong, which is for the plain way.
 */
export function readSeconds(text: Uint8Array, start: number, end: number): number {
  if (end - start <= SECONDS_LENGTH) return -1;
  const year = two(text, start) * 100 + two(text, start + 2);
  const month = two(text, start + 5);
  const day = two(text, start + 8);
  const hour = two(text, start + 11);
  const minute = two(text, start + 14);
  const second = two(text, start + 17);
  if (text[start + 4] !== 0x2d || text[start + 7] !== 0x2d || text[start + 10] !== 0x54) return -1;
  if (text[start + 13] !== 0x3a || text[start + 16] !== 0x3a) return -1;
  if (!(year >= 1970 && year <= 9999 && day >= 1 && (day <= 28 || day <= daysOf(year, month)))) return -1;
  if (!(month >= 1 && month <= 12 && hour <= 23 && minute <= 59 && second <= 59)) return -1;
  const leapDays = (month > 2 ? year : year - 1) - 1968;
  const days =
    (year - 1970) * 365 +
    (leapDays >> 2) -
    centuries(month > 2 ? year : year - 1) +
    (DAYS_BEFORE_MONTH[month] ?? 0) +
    day -
    1;
  const seconds = days * 86_400 + hour * 3600 + minute * 60 + second - offsetSeconds(text, end);
  return seconds <= MAX_SECONDS ? seconds : -1;
}

/** Reads the nanoseconds of a time that {@link readSeconds} took: no fraction, or one to nine digits. -1 for others. */
export function readNanos(text: Uint8Array, start: number, end: number): number {
  const from = start + SECONDS_LENGTH + 1;
  const zone = text[end - 1] === UTC ? end - 1 : end - OFFSET_LENGTH;
  const count = zone - from;
  if (count === -1) return 0;
  if (text[from - 1] !== 0x2e || count < 1 || count > 9) return -1;
  let nanos = digits(text, from, count);
  for (let i = count; i < 9; i++) nanos *= 10;
  return nanos < 0 ? -1 : nanos;
}

/** Seconds that a time is ahead of UTC; so many that nothing is left of it when its zone is none. */
function offsetSeconds(text: Uint8Array, end: number): number {
  if (text[end - 1] === UTC) return 0;
  const sign = text[end - OFFSET_LENGTH];
  const hours = two(text, end - OFFSET_LENGTH + 1);
  const minutes = two(text, end - 2);
  const isOffset = (sign === 0x2b || sign === 0x2d) && text[end - 3] === 0x3a && hours <= 23 && minutes <= 59;
  if (!isOffset) return Number.POSITIVE_INFINITY;
  return (hours * 3600 + minutes * 60) * (sign === 0x2b ? 1 : -1);
}

/** Leap days that the centuries up to a year leave out, since 1970. */
function centuries(year: number): number {
  return Math.floor(year / 100) - Math.floor(year / 400) - 15;
}

function daysOf(year: number, month: number): number {
  if (month === 2) return (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0 ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : month >= 1 && month <= 12 ? 31 : 0;
}

/** A number of two digits; a large one when one of them is none, so that every check of a range refuses it. */
function two(text: Uint8Array, at: number): number {
  const tens = (text[at] ?? 0) - 0x30;
  const ones = (text[at + 1] ?? 0) - 0x30;
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : NO_NUMBER;
}

const NO_NUMBER = 1e6;

/** A number of so many digits; negative when one of them is none. */
function digits(text: Uint8Array, start: number, count: number): number {
  let value = 0;
  for (let at = start; at < start + count; at++) {
    const digit = (text[at] ?? 0) - 0x30;
    if (digit < 0 || digit > 9) return Number.NEGATIVE_INFINITY;
    value = value * 10 + digit;
  }
  return value;
}
