import { type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import { AnySchema, hasCustomJsonRepresentation, TimestampSchema } from "@bufbuild/protobuf/wkt";
import { UNKNOWN_FIELDS_NUMBER } from "../lib/unknown-fields.ts";

/** How the value of a field is read and written. Numbers, since they are compared for every field of every answer. */
export const Kind = {
  /** Whatever is not below: left to the plain way. */
  OTHER: 0,
  STRING: 1,
  BOOL: 2,
  INT32: 3,
  INT64: 4,
  TIMESTAMP: 5,
  MESSAGE: 6,
  ANY: 7,
  STRING_MAP: 8,
} as const;
/** One of them. */
export type Kind = (typeof Kind)[keyof typeof Kind];

/** A field, ready for the transcoder. */
export interface FieldPlan {
  /** The JSON name as it stands in a text, with its closing quote, UTF-8. */
  readonly key: Uint8Array;
  readonly kind: Kind;
  readonly repeated: boolean;
  /** Field number and wire type, as a varint. */
  readonly tag: number;
  /** A bit of its own among the fields of the message. */
  readonly bit: number;
  /** The bit that the members of its oneof share; its own where it is in none. */
  readonly slot: number;
  /** Of a field of kind MESSAGE. */
  readonly message: MessagePlan | undefined;
  /** Bits of the message's fields that must not be at their defaults; where they are, it is left to the plain way. */
  readonly needs: number;
  /** Bytes that the length of the value took the last time. */
  lengthSize: number;
  /** The field that followed the last time: upstreams keep to one order. */
  next: FieldPlan | undefined;
}

/** A message type, ready for the transcoder. */
export interface MessagePlan {
  readonly byName: ReadonlyMap<string, FieldPlan>;
  /** The field that came first the last time. */
  first: FieldPlan | undefined;
}

/** Bits that fit into a number without sign. */
const MAX_FIELDS = 30;

const plans = new Map<DescMessage, MessagePlan>();

/** The plan of a message type, made once; `undefined` for types whose JSON form is their own. */
export function planOf(desc: DescMessage): MessagePlan | undefined {
  const known = plans.get(desc);
  if (known) return known;
  if (hasCustomJsonRepresentation(desc) || desc.fields.length > MAX_FIELDS) return undefined;
  const byName = new Map<string, FieldPlan>();
  const plan: MessagePlan = { byName, first: undefined };
  plans.set(desc, plan);
  for (const [index, field] of desc.fields.entries()) {
    const slot = field.oneof ? desc.fields.findIndex(({ oneof }) => oneof === field.oneof) : index;
    const planned = planField(field, 1 << index, 1 << slot);
    // The proto name is legal in JSON too, and is not what the gateway sends on.
    byName.set(field.name, { ...planned, kind: Kind.OTHER }).set(field.jsonName, planned);
  }
  plan.first = byName.get(desc.fields[0]?.jsonName ?? "");
  return plan;
}

function planField(field: DescField, bit: number, slot: number): FieldPlan {
  const message = field.fieldKind === "message" || field.fieldKind === "list" ? field.message : undefined;
  const inner = message && planOf(message);
  const kind = kindOf(field, message, inner);
  const wireType = kind === Kind.BOOL || kind === Kind.INT32 || kind === Kind.INT64 ? 0 : 2;
  return {
    key: new TextEncoder().encode(`${field.jsonName}"`),
    kind,
    repeated: field.fieldKind === "list",
    tag: field.number * 8 + wireType,
    bit,
    slot,
    message: inner,
    needs: (isResultError(field) && inner?.byName.get("code")?.bit) || 0,
    lengthSize: 1,
    next: undefined,
  };
}

/** The error of an operation: its code tells failure from success, so plain-operation.ts sees to it that it has one. */
function isResultError({ name, parent }: DescField): boolean {
  return name === "error" && parent.typeName === "google.longrunning.Operation";
}

function kindOf(field: DescField, message: DescMessage | undefined, inner: MessagePlan | undefined): Kind {
  if (field.number === UNKNOWN_FIELDS_NUMBER) return Kind.OTHER;
  if (field.fieldKind === "map")
    return field.mapKey === ScalarType.STRING && field.scalar === ScalarType.STRING
      ? Kind.STRING_MAP
      : Kind.OTHER;
  if (message?.typeName === AnySchema.typeName) return Kind.ANY;
  if (inner) return Kind.MESSAGE;
  if (message?.typeName === TimestampSchema.typeName)
    return field.fieldKind === "list" ? Kind.OTHER : Kind.TIMESTAMP;
  // In a oneof a default value counts as set, and packed lists have a form of their own: rare here.
  if (field.oneof) return Kind.OTHER;
  if (field.scalar === ScalarType.STRING) return Kind.STRING;
  if (field.fieldKind !== "scalar") return Kind.OTHER;
  return SCALARS.get(field.scalar) ?? Kind.OTHER;
}

const SCALARS: ReadonlyMap<ScalarType, Kind> = new Map<ScalarType, Kind>([
  [ScalarType.BOOL, Kind.BOOL],
  [ScalarType.INT32, Kind.INT32],
  [ScalarType.INT64, Kind.INT64],
]);
