import { badRequest, googleError, notFound } from "./google-error.ts";
import { isJsonObject } from "./json.ts";
import { createRecord } from "./operation-spec.ts";
import type { Random } from "./random.ts";
import { jsonReply, type Reply } from "./reply.ts";
import type { Route } from "./route.ts";
import type { Store } from "./store.ts";

/** Ids that a dataset may have, as the discovery document says. */
const DATASET_ID = /^[\p{L}\p{N}_\-.]{1,256}$/u;

/** What a method that starts an operation works with. */
export interface StartContext {
  readonly store: Store;
  readonly now: number;
  readonly random: Random;
  /** Milliseconds that the started operation takes. */
  readonly durationMs: number;
}

/**
 * Answers a method that starts an operation (`fhirStores.import`, `datasets.create`, ...). The answer holds the name
 * and nothing else, as Healthcare's does; stores are not modelled, any id is as good as another.
 */
export function startOperation(
  route: Route & { method: "start" },
  datasetId: string | undefined,
  body: Uint8Array,
  context: StartContext,
): Reply {
  const refusal = checkJsonObject(body);
  if (refusal) return refusal;
  const { store, now, random, durationMs } = context;
  let dataset = route.name;
  if (route.kind.name === "create") {
    if (datasetId === undefined || !DATASET_ID.test(datasetId)) {
      return badRequest(`Invalid dataset ID ${JSON.stringify(datasetId ?? "")}.`, "dataset_id");
    }
    dataset = `${route.name}/datasets/${datasetId}`;
    if (store.hasDataset(dataset)) {
      return googleError(409, "ALREADY_EXISTS", `Dataset ${dataset} already exists.`);
    }
  } else if (!store.hasDataset(dataset)) {
    return notFound(`Dataset ${dataset}`);
  }
  if (store.isFull()) {
    return googleError(429, "RESOURCE_EXHAUSTED", "The emulator is full of operations; reset it.");
  }
  const record = createRecord(
    { dataset, kind: route.kind.name, version: route.version, durationMs },
    now,
    random,
  );
  store.add(record);
  return jsonReply(200, { name: record.name });
}

function checkJsonObject(body: Uint8Array): Reply | undefined {
  const text = new TextDecoder().decode(body).trim();
  if (text === "") return undefined;
  try {
    if (isJsonObject(JSON.parse(text))) return undefined;
  } catch {
    return badRequest("Invalid JSON payload received. Unexpected token.");
  }
  return badRequest(`Invalid JSON payload received. Unknown name "": Root element must be a message.`);
}
