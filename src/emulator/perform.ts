import { cancelOperation } from "./cancel-operation.ts";
import { cancelFhir, createFhirOperation, fhirStatus } from "./fhir-operations.ts";
import { googleError, notFound } from "./google-error.ts";
import { listOperations } from "./list-operations.ts";
import { operationJson } from "./operation.ts";
import { checkQuery, type Query } from "./query.ts";
import { operationId } from "./random.ts";
import { API_HEADERS, jsonReply, type Reply } from "./reply.ts";
import type { Route } from "./route.ts";
import type { Method, Settings } from "./settings.ts";
import { startOperation } from "./start-operation.ts";
import type { State } from "./state.ts";
import { MAX_OPERATIONS } from "./store.ts";

/** The state that the methods of the API read and change. */
export type World = Pick<State, "store" | "fhir" | "random">;

/** A request whose method is known and which has passed the checks that come before the API. */
export interface Call {
  readonly route: Route;
  readonly query: Query;
  readonly target: string;
  readonly body: Uint8Array;
  readonly settings: Settings;
  /** Milliseconds since the Unix epoch. */
  readonly now: number;
  /** Reads show the state of so many milliseconds ago, beside what the settings say. */
  readonly staleMs: number;
  readonly emptyPage: boolean;
}

/** Query parameters of each method, in snake_case; of those that start an operation any is taken. */
const PARAMETERS: Readonly<Record<Exclude<Method, "start">, readonly string[]>> = {
  get: [],
  cancel: [],
  list: ["filter", "page_size", "page_token", "return_partial_success"],
  getFhir: [],
  deleteFhir: [],
  exportFhir: ["_since", "_type", "output_format"],
  getDataset: [],
  listDatasets: ["page_size", "page_token"],
};

/** Performs a method of the API: checks its parameters, reads or changes the world, answers. */
export function perform(call: Call, world: World): Reply {
  const { route, query, settings, now } = call;
  const refusal = checkQuery(
    query,
    route.method === "start" ? [...query.fields.keys()] : PARAMETERS[route.method],
  );
  if (refusal) return refusal;
  const { store, fhir, random } = world;
  switch (route.method) {
    case "get": {
      const operation = store.find(route.name, now);
      if (!operation) return notFound(`Operation ${route.name}`);
      const at = Math.max(operation.createdAt, now - settings.readLagMs - call.staleMs);
      return jsonReply(200, operationJson(operation, at));
    }
    case "list": {
      const { readLagMs, listLagMs, unreachable } = settings;
      const createdUntil = now - listLagMs - call.staleMs;
      const at = now - Math.max(readLagMs, listLagMs) - call.staleMs;
      return listOperations(route.name, query, {
        store,
        at,
        createdUntil,
        unreachable,
        emptyPage: call.emptyPage,
      });
    }
    case "cancel":
      return cancelOperation(route.name, call.body, store, now);
    case "getFhir":
      return fhirStatus(fhir.get(route.name), call.target, now);
    case "deleteFhir":
      return cancelFhir(fhir.get(route.name), now);
    case "exportFhir": {
      const name = `${route.name}/operations/${operationId(random)}`;
      if (fhir.size >= MAX_OPERATIONS)
        return googleError(429, "RESOURCE_EXHAUSTED", "The emulator is full; reset it.");
      fhir.set(name, createFhirOperation({ name, durationMs: settings.startedDurationMs }, now));
      const location = `/${route.version}/${name}`;
      return {
        status: 202,
        headers: { ...API_HEADERS, "content-location": location },
        content: { type: "none" },
      };
    }
    case "getDataset":
      return store.hasDataset(route.name)
        ? jsonReply(200, datasetJson(route.name))
        : notFound(`Dataset ${route.name}`);
    case "listDatasets": {
      const datasets = store.datasets().filter((name) => name.startsWith(`${route.name}/datasets/`));
      return jsonReply(200, { datasets: datasets.length > 0 ? datasets.map(datasetJson) : undefined });
    }
    case "start":
      return startOperation(route, query.fields.get("dataset_id"), call.body, {
        store,
        now,
        random,
        durationMs: settings.startedDurationMs,
      });
  }
}

function datasetJson(name: string): { name: string; timeZone: string } {
  return { name, timeZone: "UTC" };
}
