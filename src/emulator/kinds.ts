import type { JsonObject } from "./json.ts";

/** A version of the API. An operation belongs to the version of the method that started it, whichever reads it later. */
export type ApiVersion = "v1" | "v1beta1";

/** Every version that the emulator serves. */
export const API_VERSIONS: readonly ApiVersion[] = ["v1", "v1beta1"];

/** What the response of a finished operation is made from. */
export interface ResponseFacts {
  /** `projects/.../datasets/D`. */
  readonly dataset: string;
  /** Counters at the end, as ProtoJSON writes int64; zero is `undefined`. */
  readonly success: string | undefined;
  readonly failure: string | undefined;
  readonly secondarySuccess: string | undefined;
  readonly secondaryFailure: string | undefined;
}

/** A Healthcare method that answers with an operation. */
export interface OperationKind {
  /** The REST method without `projects.locations.datasets.`, e.g. `fhirStores.import`. */
  readonly name: string;
  readonly versions: readonly ApiVersion[];
  /** RPC name without `google.cloud.healthcare.{version}.`, for `apiMethodName`. */
  readonly method: string;
  /** Full name of the response without `google.cloud.healthcare.{version}.`; `undefined`: google.protobuf.Empty. */
  readonly response: string | undefined;
  /** Which counters it reports: none, one kind of unit, or a second kind too (e.g. historic versions in a bulk delete). */
  readonly counters: "none" | "primary" | "secondary";
  /** The request that starts one: verb and path below the dataset, `*` for one segment. */
  readonly start: string;
  /** Fields of the response, where it has any. */
  readonly fields?: (facts: ResponseFacts) => JsonObject;
}

const BOTH = API_VERSIONS;
const BETA: readonly ApiVersion[] = ["v1beta1"];

/**
 * Every method of the published API that starts an operation. Method and service names follow the RPC reference of
 * healthcare.googleapis.com; where Google documents no response type (studies and series, configureSearch,
 * bulkDelete) it is Empty here.
 *
 * Laid out as a table: name, versions, RPC, response, counters, start, fields.
 */
// biome-ignore format: a table
export const OPERATION_KINDS: readonly OperationKind[] = [
  kind("create", BOTH, "dataset.DatasetService.CreateDataset", "dataset.Dataset", "none", "POST", ({ dataset }) => ({ name: dataset, timeZone: "UTC" })),
  kind("deidentify", BOTH, "dataset.DatasetService.DeidentifyDataset", "deidentify.DeidentifySummary", "primary", "POST :deidentify"),
  kind("annotationStores.evaluate", BETA, "annotation.AnnotationService.EvaluateAnnotationStore", "annotation.EvaluateAnnotationStoreResponse", "none", "POST annotationStores/*:evaluate"),
  kind("annotationStores.export", BETA, "annotation.AnnotationService.ExportAnnotations", "annotation.ExportAnnotationsResponse", "primary", "POST annotationStores/*:export"),
  kind("annotationStores.import", BETA, "annotation.AnnotationService.ImportAnnotations", "annotation.ImportAnnotationsResponse", "primary", "POST annotationStores/*:import"),
  kind("consentStores.queryAccessibleData", BOTH, "consent.ConsentService.QueryAccessibleData", "consent.QueryAccessibleDataResponse", "none", "POST consentStores/*:queryAccessibleData", () => ({ gcsUris: ["gs://demo-bucket/accessible-data-00000-of-00001.txt"] })),
  kind("dicomStores.deidentify", BOTH, "deidentify.DeidentifyService.DeidentifyDicomStore", "deidentify.DeidentifyDicomStoreSummary", "primary", "POST dicomStores/*:deidentify"),
  kind("dicomStores.export", BOTH, "dicom.DicomService.ExportDicomData", "dicom.ExportDicomDataResponse", "primary", "POST dicomStores/*:export"),
  kind("dicomStores.import", BOTH, "dicom.DicomService.ImportDicomData", "dicom.ImportDicomDataResponse", "primary", "POST dicomStores/*:import"),
  kind("dicomStores.setBlobStorageSettings", BOTH, "storageinfo.StorageInfoService.SetBlobStorageSettings", undefined, "primary", "POST dicomStores/*:setBlobStorageSettings"),
  kind("dicomStores.dicomWeb.studies.setBlobStorageSettings", BOTH, "storageinfo.StorageInfoService.SetBlobStorageSettings", undefined, "primary", "POST dicomStores/*/dicomWeb/studies/*:setBlobStorageSettings"),
  kind("dicomStores.studies.delete", BOTH, "dicom.DicomService.DeleteStudy", undefined, "none", "DELETE dicomStores/*/dicomWeb/studies/*"),
  kind("dicomStores.studies.series.delete", BOTH, "dicom.DicomService.DeleteSeries", undefined, "none", "DELETE dicomStores/*/dicomWeb/studies/*/series/*"),
  kind("dicomStores.studies.updateMetadata", BETA, "dicom.DicomService.UpdateStudyMetadata", undefined, "primary", "PATCH dicomStores/*/dicomWeb/studies/*/metadata"),
  kind("dicomStores.studies.series.updateMetadata", BETA, "dicom.DicomService.UpdateSeriesMetadata", undefined, "primary", "PATCH dicomStores/*/dicomWeb/studies/*/series/*/metadata"),
  kind("fhirStores.applyAdminConsents", BOTH, "fhir.FhirStoreService.ApplyAdminConsents", "fhir.ApplyAdminConsentsResponse", "secondary", "POST fhirStores/*:applyAdminConsents", (facts) => ({ consentApplySuccess: facts.success, affectedResources: facts.secondarySuccess, failedResources: facts.secondaryFailure })),
  kind("fhirStores.applyConsents", BOTH, "fhir.FhirStoreService.ApplyConsents", "fhir.ApplyConsentsResponse", "secondary", "POST fhirStores/*:applyConsents", (facts) => ({ consentApplySuccess: facts.success, consentApplyFailure: facts.failure, affectedResources: facts.secondarySuccess, failedResources: facts.secondaryFailure })),
  kind("fhirStores.bulkDelete", BOTH, "fhir.FhirStoreService.BulkDeleteResources", undefined, "secondary", "POST fhirStores/*:bulkDelete"),
  kind("fhirStores.configureSearch", BETA, "fhir.FhirStoreService.ConfigureSearch", undefined, "none", "POST fhirStores/*:configureSearch"),
  kind("fhirStores.deidentify", BOTH, "deidentify.DeidentifyService.DeidentifyFhirStore", "deidentify.DeidentifyFhirStoreSummary", "primary", "POST fhirStores/*:deidentify"),
  kind("fhirStores.export", BOTH, "fhir.FhirStoreService.ExportResources", "fhir.ExportResourcesResponse", "primary", "POST fhirStores/*:export"),
  kind("fhirStores.exportHistory", BETA, "fhir.FhirStoreService.ExportResourcesHistory", "fhir.ExportResourcesResponse", "primary", "POST fhirStores/*:exportHistory"),
  kind("fhirStores.import", BOTH, "fhir.FhirStoreService.ImportResources", "fhir.ImportResourcesResponse", "primary", "POST fhirStores/*:import"),
  kind("fhirStores.importHistory", BETA, "fhir.FhirStoreService.ImportResourcesHistory", "fhir.ImportResourcesResponse", "primary", "POST fhirStores/*:importHistory"),
  kind("fhirStores.rollback", BOTH, "fhir.FhirStoreService.RollbackFhirResources", "fhir.RollbackFhirResourcesResponse", "primary", "POST fhirStores/*:rollback", ({ dataset }) => ({ fhirStore: `${dataset}/fhirStores/demo` })),
  kind("hl7V2Stores.export", BOTH, "hl7v2.Hl7V2Service.ExportMessages", "hl7v2.ExportMessagesResponse", "primary", "POST hl7V2Stores/*:export"),
  kind("hl7V2Stores.import", BOTH, "hl7v2.Hl7V2Service.ImportMessages", "hl7v2.ImportMessagesResponse", "primary", "POST hl7V2Stores/*:import"),
  kind("hl7V2Stores.rollback", BOTH, "hl7v2.Hl7V2Service.RollbackHl7V2Messages", "hl7v2.RollbackHl7V2MessagesResponse", "primary", "POST hl7V2Stores/*:rollback", ({ dataset }) => ({ hl7v2Store: `${dataset}/hl7V2Stores/demo` })),
];

/** Finds a kind by {@link OperationKind.name}. */
export function findKind(name: string): OperationKind | undefined {
  return OPERATION_KINDS.find((kind) => kind.name === name);
}

function kind(
  name: string,
  versions: readonly ApiVersion[],
  method: string,
  response: string | undefined,
  counters: OperationKind["counters"],
  start: string,
  fields?: OperationKind["fields"],
): OperationKind {
  return { name, versions, method, response, counters, start, ...(fields ? { fields } : {}) };
}
