import type { DescMessage } from "@bufbuild/protobuf";
import {
  OperationMetadataSchema,
  ProgressCounterSchema,
} from "../../../gen/google/cloud/healthcare/v1/operation_metadata_pb.ts";
import { OperationSchema } from "../../../gen/google/longrunning/operations_pb.ts";
import { StatusSchema } from "../../../gen/google/rpc/status_pb.ts";
import type { Observation } from "../facts/observation.ts";

/**
 * Whether a read shows why a filter that returned an operation does not return it any more: a field that the filter
 * names (https://google.aip.dev/160) is not what the list showed last. Where the filter names a field that operations
 * do not have, or none, it may stand for how the operation is (`status:running`), so a change of its state counts.
 *
 * That other fields have changed says nothing: counters change with each read, and a list that lags leaves an
 * operation out just as well.
 *
 * @param filter as the caller gave it; not empty
 * @param listed the operation as a list showed it last
 * @param found the operation as a later read has found it
 */
export function showsWhy(filter: string, listed: Observation, found: Observation): boolean {
  const before = json(listed);
  const after = json(found);
  const changed = new Set<string>();
  collectChanged(before, after, changed);
  if (changed.size === 0) return false;
  const fields = fieldsOf(filter);
  if (fields.some((field) => changed.has(field))) return true;
  const known = new Set(KNOWN);
  for (const operation of [before, after]) collectNames(operation, known);
  const standsForState = fields.length === 0 || fields.some((field) => !known.has(field));
  return standsForState && listed.facts.state !== found.facts.state;
}

/**
 * Names that a filter compares, without their parents: `done` of `done = true`, `endTime` of `metadata.end_time > "…"`.
 * Words that nothing compares, and a text without an end, are found too and passed over: to look for what stands behind
 * them again from each of their letters would cost the square of their length, for every operation that is left out.
 */
function fieldsOf(filter: string): string[] {
  const unquoted = filter.replace(/"(?:[^"\\]|\\.)*"?|'(?:[^'\\]|\\.)*'?/gs, '""');
  const compared = unquoted.matchAll(/([A-Za-z_][\w.-]*)\s*([<>!]=|[<>=:])?/g);
  return [...compared]
    .filter(([, , comparator]) => comparator !== undefined)
    .map(([, path = ""]) => plain(path.slice(path.lastIndexOf(".") + 1)));
}

/** JSON names and proto names of one field are the same here. */
function plain(name: string): string {
  return name.replaceAll(/[_-]/g, "").toLowerCase();
}

/** Fields that an operation leaves out of its JSON as long as they have no value. */
const KNOWN: readonly string[] = [
  OperationSchema,
  StatusSchema,
  OperationMetadataSchema,
  ProgressCounterSchema,
].flatMap(({ fields }: DescMessage) => fields.map(({ name }) => plain(name)));

function json(seen: Observation): unknown {
  return JSON.parse(Buffer.from(seen.operation.toJson()).toString());
}

/** Names all that differs, with the names of what it is in. */
function collectChanged(before: unknown, after: unknown, changed: Set<string>): boolean {
  if (!isObject(before) && !isObject(after)) return JSON.stringify(before) !== JSON.stringify(after);
  let any = false;
  const [old, now] = [members(before), members(after)];
  for (const name of new Set([...Object.keys(old), ...Object.keys(now)])) {
    if (!collectChanged(old[name], now[name], changed)) continue;
    changed.add(plain(name));
    any = true;
  }
  return any;
}

function collectNames(value: unknown, names: Set<string>): void {
  for (const [name, inner] of Object.entries(members(value))) {
    names.add(plain(name));
    collectNames(inner, names);
  }
}

function members(value: unknown): Readonly<Record<string, unknown>> {
  return isObject(value) ? value : {};
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
