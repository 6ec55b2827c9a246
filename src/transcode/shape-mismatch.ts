import { nameProblem } from "./resource-name.ts";

/**
 * Says why a name fits none of a method's shapes, as the end of a sentence that begins with the field's name. Only
 * reached by calls that are refused, so it may take its time.
 *
 * @param shapes the patterns of the variable that the field fills, in the order of the bindings, each once.
 */
export function shapeMismatch(value: string, shapes: readonly string[]): string {
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(value))
    return `is a URL, not a resource name; expected ${expected(shapes)}`;
  const problem = nameProblem(value);
  if (problem !== undefined) return problem;
  if (isFhirStoreOperation(value)) return FHIR_STORE_OPERATION;
  return `${difference(value, shapes)}; expected ${expected(shapes)}`;
}

/**
 * Tells the names of `projects.locations.datasets.fhirStores.operations` in Healthcare. They are refused whatever the
 * rules say: a wide rule (`{name=projects/**}`) would fetch a bulk export's status and present it as an Operation.
 */
export function isFhirStoreOperation(value: string): boolean {
  return FHIR_STORE_OPERATIONS.test(value);
}

/** Why they are refused. */
export const FHIR_STORE_OPERATION =
  "names an operation of a FHIR store: that collection follows the FHIR bulk data specification (202 while it runs, " +
  "then a manifest) and does not speak google.longrunning.Operation, so call its REST methods instead";

const FHIR_STORE_OPERATIONS =
  /^projects\/[^/]+\/locations\/[^/]+\/datasets\/[^/]+\/fhirStores\/[^/]+\/operations(?:\/|$)/;

/** Shapes that a message lists; an API with a hundred bindings would fill a screen. */
const MAX_SHAPES = 4;

function expected(shapes: readonly string[]): string {
  const listed = shapes.slice(0, MAX_SHAPES).join(" or ");
  const more = shapes.length - MAX_SHAPES;
  return more > 0 ? `${listed} (or ${more} more)` : listed;
}

function difference(value: string, shapes: readonly string[]): string {
  if (/^v\d[a-z0-9]*\//.test(value)) return "begins with an API version, which is not part of a name";
  const [shape] = shapes;
  if (shape === undefined || shapes.length > 1 || shape.includes("**"))
    return "does not have the right shape";
  const actual = value.split("/");
  const wanted = shape.split("/");
  const wrong = wanted.findIndex((segment, index) => segment !== "*" && segment !== actual[index]);
  const found = actual[wrong];
  if (wrong >= 0 && found !== undefined)
    return `has ${shorten(found)} where "${wanted[wrong]}" belongs (segment ${wrong + 1})`;
  if (actual.length === wanted.length + 1 && actual.at(-1) === "operations")
    return 'names the collection "operations", which the method adds itself';
  return `has ${count(actual.length)} instead of ${wanted.length}`;
}

function count(segments: number): string {
  return segments === 1 ? "1 segment" : `${segments} segments`;
}

/** A segment of the caller's, short and printable. */
function shorten(segment: string): string {
  return /^[A-Za-z0-9\-_.~]{1,24}$/.test(segment) ? `"${segment}"` : "something else";
}
