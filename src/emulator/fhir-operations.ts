import type { ObjectReader } from "./input.ts";
import { API_HEADERS, jsonReply, type Reply } from "./reply.ts";
import { timestamp } from "./timestamp.ts";

/**
 * An operation of the other sort that Healthcare has, `fhirStores.operations`: the status requests of a FHIR bulk
 * export. It is no google.longrunning.Operation; see https://hl7.org/fhir/uv/bulkdata/export.html.
 */
export interface FhirOperation {
  /** `projects/.../fhirStores/F/operations/ID`. */
  readonly name: string;
  readonly createdAt: number;
  readonly durationMs: number;
  readonly outcome: "success" | "failure";
  cancelled: boolean;
}

/** What may be asked of a new one; the control endpoint takes the same keys. */
export interface FhirOperationSpec {
  /** Full name. */
  readonly name: string;
  /** Milliseconds of work. Default 60,000. */
  readonly durationMs?: number | undefined;
  /** How long ago it was created. Default 0. */
  readonly ageMs?: number | undefined;
  /** Default `success`. */
  readonly outcome?: "success" | "failure" | undefined;
}

const NAME = /^projects\/[^/]+\/locations\/[^/]+\/datasets\/[^/]+\/fhirStores\/[^/]+\/operations\/[^/]+$/u;

/** Makes the record of an operation created `ageMs` before `now`. Throws a RangeError where the name is malformed. */
export function createFhirOperation(spec: FhirOperationSpec, now: number): FhirOperation {
  if (!NAME.test(spec.name)) {
    throw new RangeError(
      `name must look like projects/P/locations/L/datasets/D/fhirStores/F/operations/ID, got ${JSON.stringify(spec.name)}`,
    );
  }
  return {
    name: spec.name,
    createdAt: now - (spec.ageMs ?? 0),
    durationMs: spec.durationMs ?? 60_000,
    outcome: spec.outcome ?? "success",
    cancelled: false,
  };
}

/** Reads a spec in the form of the control endpoint. Throws a RangeError that names a wrong key. */
export function readFhirOperationSpec(input: ObjectReader): FhirOperationSpec {
  const spec: FhirOperationSpec = {
    name: input.string("name") ?? "",
    durationMs: input.number("durationMs"),
    ageMs: input.number("ageMs"),
    outcome: input.oneOf("outcome", ["success", "failure"]),
  };
  input.end();
  return spec;
}

/** Answers a status request: 202 while it runs, 200 with the manifest, or 500 with a FHIR OperationOutcome. */
export function fhirStatus(operation: FhirOperation | undefined, target: string, now: number): Reply {
  if (!operation || operation.cancelled) return outcome(404, "not-found", "The operation does not exist.");
  const end = operation.createdAt + operation.durationMs;
  if (now < end) {
    return {
      status: 202,
      headers: { ...API_HEADERS, "x-progress": "in progress" },
      content: { type: "none" },
    };
  }
  if (operation.outcome === "failure") return outcome(500, "exception", "The export failed.");
  return jsonReply(200, {
    transactionTime: timestamp(operation.createdAt),
    request: target,
    requiresAccessToken: true,
    output: [
      { type: "Patient", url: "https://storage.googleapis.com/demo-bucket/export/Patient-00000-of-00001" },
    ],
    error: [],
  });
}

/** Answers DELETE, which cancels: 202 while it runs, an OperationOutcome when it is over already. */
export function cancelFhir(operation: FhirOperation | undefined, now: number): Reply {
  if (!operation || operation.cancelled) return outcome(404, "not-found", "The operation does not exist.");
  if (operation.createdAt + operation.durationMs <= now) {
    return outcome(400, "conflict", "The operation has completed and cannot be cancelled.");
  }
  operation.cancelled = true;
  return { status: 202, headers: API_HEADERS, content: { type: "none" } };
}

function outcome(status: number, code: string, diagnostics: string): Reply {
  return jsonReply(
    status,
    { resourceType: "OperationOutcome", issue: [{ severity: "error", code, diagnostics }] },
    { "content-type": "application/fhir+json;charset=utf-8" },
  );
}
