import { API_VERSIONS, type ApiVersion, OPERATION_KINDS, type OperationKind } from "./kinds.ts";

/** Which method of the API a request means. */
export type Route =
  | { readonly method: "get" | "cancel"; readonly version: ApiVersion; readonly name: string }
  /** `name` is the dataset; its segments may be `-`, which means all. */
  | { readonly method: "list"; readonly version: ApiVersion; readonly name: string }
  | { readonly method: "getFhir" | "deleteFhir"; readonly version: ApiVersion; readonly name: string }
  /** `GET .../fhir/$export`; `name` is the FHIR store. */
  | { readonly method: "exportFhir"; readonly version: ApiVersion; readonly name: string }
  | { readonly method: "getDataset"; readonly version: ApiVersion; readonly name: string }
  /** `name` is the location. */
  | { readonly method: "listDatasets"; readonly version: ApiVersion; readonly name: string }
  /** A method that starts an operation; `name` is the dataset (the location for `create`). */
  | {
      readonly method: "start";
      readonly version: ApiVersion;
      readonly name: string;
      readonly kind: OperationKind;
      /** The store or study that the method is called on; the dataset where there is none. */
      readonly resource: string;
    };

/** A request that the front end answers itself, with this HTML page. */
export interface FrontEndOnly {
  readonly page: 400 | 404 | 405;
}

interface Binding {
  readonly verb: string;
  readonly segments: readonly string[];
  readonly action: string;
  readonly build: (version: ApiVersion, names: readonly string[]) => Route | undefined;
}

const DATASET = "projects/*/locations/*/datasets/*";

const BINDINGS: readonly Binding[] = [
  binding("GET", `${DATASET}/operations/*`, (version, s) => ({ method: "get", version, name: s.join("/") })),
  binding("GET", `${DATASET}/operations`, (version, s) => ({
    method: "list",
    version,
    name: s.slice(0, 6).join("/"),
  })),
  binding("POST", `${DATASET}/operations/*:cancel`, (version, s) => ({
    method: "cancel",
    version,
    name: s.join("/"),
  })),
  binding("GET", `${DATASET}/fhirStores/*/operations/*`, (version, s) => ({
    method: "getFhir",
    version,
    name: s.join("/"),
  })),
  binding("DELETE", `${DATASET}/fhirStores/*/operations/*`, (version, s) => ({
    method: "deleteFhir",
    version,
    name: s.join("/"),
  })),
  binding("GET", `${DATASET}/fhirStores/*/fhir/$export`, (version, s) => ({
    method: "exportFhir",
    version,
    name: s.slice(0, 8).join("/"),
  })),
  binding("GET", DATASET, (version, s) => ({ method: "getDataset", version, name: s.join("/") })),
  binding("GET", "projects/*/locations/*/datasets", (version, s) => ({
    method: "listDatasets",
    version,
    name: s.slice(0, 4).join("/"),
  })),
  ...OPERATION_KINDS.map(startBinding),
];

/** Verbs that the front end passes on at all. */
const VERBS = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);

/**
 * Finds the method of a request by verb and raw path (as on the request line, without the query).
 *
 * As at Google: a path or verb that no method is bound to is the front end's 404 page; the verb colon must be a literal
 * colon (`%3Acancel` is 404), the slashes literal slashes (`%2F` is 404); dot segments are refused, not resolved.
 */
export function findRoute(verb: string, path: string): Route | FrontEndOnly {
  if (!VERBS.has(verb)) return { page: 405 };
  if (!path.startsWith("/")) return { page: 400 };
  const raw = path.slice(1).split("/");
  const version = API_VERSIONS.find((known) => known === raw[0]);
  if (version === undefined || /%2f/i.test(path)) return { page: 404 };
  const last = raw.at(-1) ?? "";
  const colon = last.lastIndexOf(":");
  const action = colon < 0 ? "" : last.slice(colon + 1);
  const names = [...raw.slice(1, -1), colon < 0 ? last : last.slice(0, colon)].map(decode);
  if (names.some((name) => name === undefined || name === "." || name === "..")) return { page: 400 };
  const segments = names.map((name) => name ?? "");
  for (const { verb: bound, segments: pattern, action: verbName, build } of BINDINGS) {
    if (bound !== (verb === "HEAD" ? "GET" : verb) || verbName !== action || !matches(pattern, segments))
      continue;
    const route = build(version, segments);
    if (route) return route;
  }
  return { page: 404 };
}

function matches(pattern: readonly string[], segments: readonly string[]): boolean {
  return (
    pattern.length === segments.length &&
    pattern.every((part, index) => (part === "*" ? segments[index] !== "" : part === segments[index]))
  );
}

function binding(verb: string, template: string, build: Binding["build"]): Binding {
  const [path = "", action = ""] = template.split(":");
  return { verb, segments: path.split("/"), action, build };
}

/** The binding of a method that starts an operation: below the dataset, on it, or (`create`) on the location. */
function startBinding(kind: OperationKind): Binding {
  const [verb = "POST", path = ""] = kind.start.split(" ");
  const onLocation = path === "";
  const template = onLocation
    ? "projects/*/locations/*/datasets"
    : path.startsWith(":")
      ? DATASET + path
      : `${DATASET}/${path}`;
  return binding(verb, template, (version, segments) =>
    kind.versions.includes(version)
      ? {
          method: "start",
          version,
          kind,
          name: segments.slice(0, onLocation ? 4 : 6).join("/"),
          resource: segments.join("/"),
        }
      : undefined,
  );
}

/** Percent-decoding of one segment as UTF-8; `undefined` when it is not that. */
function decode(segment: string): string | undefined {
  try {
    return decodeURIComponent(segment);
  } catch {
    return undefined;
  }
}
