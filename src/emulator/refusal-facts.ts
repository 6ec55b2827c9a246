import type { RefusalFacts } from "./refusal.ts";
import type { Route } from "./route.ts";
import type { Method } from "./settings.ts";

const RPC: Readonly<Record<Exclude<Method, "start">, string>> = {
  get: "google.longrunning.Operations.GetOperation",
  list: "google.longrunning.Operations.ListOperations",
  cancel: "google.longrunning.Operations.CancelOperation",
  getFhir: "google.cloud.healthcare.v1.fhir.rest.FhirService.GetFhirOperationStatus",
  deleteFhir: "google.cloud.healthcare.v1.fhir.rest.FhirService.DeleteFhirOperation",
  exportFhir: "google.cloud.healthcare.v1.fhir.rest.FhirService.BulkExport",
  getDataset: "google.cloud.healthcare.v1.dataset.DatasetService.GetDataset",
  listDatasets: "google.cloud.healthcare.v1.dataset.DatasetService.ListDatasets",
};

const PERMISSION: Readonly<Record<Exclude<Method, "start">, string>> = {
  get: "healthcare.operations.get",
  list: "healthcare.operations.list",
  cancel: "healthcare.operations.cancel",
  getFhir: "healthcare.operations.get",
  deleteFhir: "healthcare.operations.cancel",
  exportFhir: "healthcare.fhirStores.export",
  getDataset: "healthcare.datasets.get",
  listDatasets: "healthcare.datasets.list",
};

/** What a refusal of a request names: its RPC, and the permission on its dataset that IAM checks. */
export function refusalFacts(route: Route | undefined): Omit<RefusalFacts, "retryAfter"> {
  if (!route) return { rpc: RPC.get, permission: PERMISSION.get, dataset: "" };
  const dataset = route.name.split("/").slice(0, 6).join("/");
  if (route.method !== "start")
    return { rpc: RPC[route.method], permission: PERMISSION[route.method], dataset };
  const { kind, version } = route;
  const [collection = "", action] = kind.name.includes(".")
    ? [kind.name.slice(0, kind.name.indexOf(".")), kind.name.slice(kind.name.lastIndexOf(".") + 1)]
    : ["datasets", kind.name];
  return {
    rpc: `google.cloud.healthcare.${version}.${kind.method}`,
    permission: `healthcare.${collection}.${action}`,
    dataset,
  };
}
