import { type DescField, type DescMessage, type JsonValue, ScalarType } from "@bufbuild/protobuf";

const INTEGERS_64: ReadonlySet<ScalarType | undefined> = new Set([
  ScalarType.INT64,
  ScalarType.UINT64,
  ScalarType.SINT64,
  ScalarType.FIXED64,
  ScalarType.SFIXED64,
]);

/**
 * Whether a value that `fromJson` would take is taken without changing it. It is more lenient than the ProtoJSON
 * specification in a few places: hexadecimal and blanks in 64-bit integers, 30 February, anything after a duration.
 */
export function isExact(type: DescField | DescMessage, json: JsonValue): boolean {
  if (type.kind === "field") {
    if (type.message) return isExact(type.message, json);
    if (!INTEGERS_64.has(type.scalar)) return true;
    return (Array.isArray(json) ? json : [json]).every(
      (item) => typeof item !== "string" || /^-?[0-9]+$/.test(item),
    );
  }
  switch (type.typeName) {
    case "google.protobuf.Duration":
      return typeof json === "string" && /^-?[0-9]{1,12}(?:\.[0-9]{1,9})?s$/.test(json);
    case "google.protobuf.Timestamp":
      return typeof json === "string" && isCalendarDay(json);
    case "google.protobuf.Int64Value":
    case "google.protobuf.UInt64Value":
      return typeof json !== "string" || /^-?[0-9]+$/.test(json);
    default:
      return true;
  }
}

function isCalendarDay(timestamp: string): boolean {
  const [year = 0, month = 0, day = 0] = timestamp.slice(0, 10).split("-").map(Number);
  // Date.UTC takes the years 0 to 99 for 1900 to 1999; 400 years later the calendar is the same.
  return new Date(Date.UTC(year + 400, month - 1, day)).getUTCDate() === day;
}
