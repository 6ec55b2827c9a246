import { readdirSync } from "node:fs";
import {
  createRegistry,
  type DescFile,
  fromBinary,
  fromJson,
  type JsonObject,
  toBinary,
  toJson,
} from "@bufbuild/protobuf";
import { EmptySchema } from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "vitest";
import { file_google_cloud_healthcare_v1_consent_consent } from "../../gen/google/cloud/healthcare/v1/consent/consent_pb.ts";
import { file_google_cloud_healthcare_v1_dataset_dataset } from "../../gen/google/cloud/healthcare/v1/dataset/dataset_pb.ts";
import { file_google_cloud_healthcare_v1_deidentify_deidentify } from "../../gen/google/cloud/healthcare/v1/deidentify/deidentify_pb.ts";
import { file_google_cloud_healthcare_v1_dicom_dicom } from "../../gen/google/cloud/healthcare/v1/dicom/dicom_pb.ts";
import { file_google_cloud_healthcare_v1_fhir_fhir } from "../../gen/google/cloud/healthcare/v1/fhir/fhir_pb.ts";
import { file_google_cloud_healthcare_v1_hl7v2_hl7v2 } from "../../gen/google/cloud/healthcare/v1/hl7v2/hl7v2_pb.ts";
import { file_google_cloud_healthcare_v1_operation_metadata } from "../../gen/google/cloud/healthcare/v1/operation_metadata_pb.ts";
import { file_google_cloud_healthcare_v1_storageinfo_storageinfo } from "../../gen/google/cloud/healthcare/v1/storageinfo/storageinfo_pb.ts";
import { file_google_cloud_healthcare_v1beta1_annotation_annotation } from "../../gen/google/cloud/healthcare/v1beta1/annotation/annotation_pb.ts";
import { file_google_cloud_healthcare_v1beta1_consent_consent } from "../../gen/google/cloud/healthcare/v1beta1/consent/consent_pb.ts";
import { file_google_cloud_healthcare_v1beta1_dataset_dataset } from "../../gen/google/cloud/healthcare/v1beta1/dataset/dataset_pb.ts";
import { file_google_cloud_healthcare_v1beta1_deidentify_deidentify } from "../../gen/google/cloud/healthcare/v1beta1/deidentify/deidentify_pb.ts";
import { file_google_cloud_healthcare_v1beta1_dicom_dicom } from "../../gen/google/cloud/healthcare/v1beta1/dicom/dicom_pb.ts";
import { file_google_cloud_healthcare_v1beta1_fhir_fhir } from "../../gen/google/cloud/healthcare/v1beta1/fhir/fhir_pb.ts";
import { file_google_cloud_healthcare_v1beta1_hl7v2_hl7v2 } from "../../gen/google/cloud/healthcare/v1beta1/hl7v2/hl7v2_pb.ts";
import { file_google_cloud_healthcare_v1beta1_operation_metadata } from "../../gen/google/cloud/healthcare/v1beta1/operation_metadata_pb.ts";
import { file_google_cloud_healthcare_v1beta1_storageinfo_storageinfo } from "../../gen/google/cloud/healthcare/v1beta1/storageinfo/storageinfo_pb.ts";
import { OperationSchema } from "../../gen/google/longrunning/operations_pb.ts";
import { file_google_rpc_error_details } from "../../gen/google/rpc/error_details_pb.ts";

const FILES: readonly DescFile[] = [
  file_google_cloud_healthcare_v1_operation_metadata,
  file_google_cloud_healthcare_v1_consent_consent,
  file_google_cloud_healthcare_v1_dataset_dataset,
  file_google_cloud_healthcare_v1_deidentify_deidentify,
  file_google_cloud_healthcare_v1_dicom_dicom,
  file_google_cloud_healthcare_v1_fhir_fhir,
  file_google_cloud_healthcare_v1_hl7v2_hl7v2,
  file_google_cloud_healthcare_v1_storageinfo_storageinfo,
  file_google_cloud_healthcare_v1beta1_operation_metadata,
  file_google_cloud_healthcare_v1beta1_annotation_annotation,
  file_google_cloud_healthcare_v1beta1_consent_consent,
  file_google_cloud_healthcare_v1beta1_dataset_dataset,
  file_google_cloud_healthcare_v1beta1_deidentify_deidentify,
  file_google_cloud_healthcare_v1beta1_dicom_dicom,
  file_google_cloud_healthcare_v1beta1_fhir_fhir,
  file_google_cloud_healthcare_v1beta1_hl7v2_hl7v2,
  file_google_cloud_healthcare_v1beta1_storageinfo_storageinfo,
];

const registry = createRegistry(...FILES, file_google_rpc_error_details, EmptySchema);

/** What each response type of a version may hold, every field set, as the REST API spells it. */
const RESPONSES: Record<string, JsonObject> = {
  "dataset.Dataset": {
    name: "projects/p/locations/us-central1/datasets/d",
    timeZone: "Europe/Zurich",
    encryptionSpec: { kmsKeyName: "projects/p/locations/us-central1/keyRings/r/cryptoKeys/k" },
    satisfiesPzi: true,
    satisfiesPzs: true,
  },
  "dataset.DeidentifySummary": {},
  "deidentify.DeidentifySummary": {},
  "deidentify.DeidentifyDicomStoreSummary": {},
  "deidentify.DeidentifyFhirStoreSummary": {},
  "dicom.ImportDicomDataResponse": {},
  "dicom.ExportDicomDataResponse": {},
  "fhir.ImportResourcesResponse": {},
  "fhir.ExportResourcesResponse": {},
  "fhir.RollbackFhirResourcesResponse": { fhirStore: "projects/p/locations/l/datasets/d/fhirStores/f" },
  "fhir.ApplyConsentsResponse": {
    consentApplySuccess: "5",
    consentApplyFailure: "1",
    affectedResources: "9223372036854775807",
    failedResources: "2",
  },
  "fhir.ApplyAdminConsentsResponse": {
    consentApplySuccess: "5",
    affectedResources: "90",
    failedResources: "2",
  },
  "hl7v2.ImportMessagesResponse": {},
  "hl7v2.ExportMessagesResponse": {},
  "hl7v2.RollbackHl7V2MessagesResponse": { hl7v2Store: "projects/p/locations/l/datasets/d/hl7V2Stores/h" },
  "consent.QueryAccessibleDataResponse": { gcsUris: ["gs://bucket/a", "gs://bucket/b"] },
  "storageinfo.SetBlobStorageSettingsResponse": {},
};

/** Types that only v1beta1 has. */
const BETA_RESPONSES: Record<string, JsonObject> = {
  "annotation.ImportAnnotationsResponse": {},
  "annotation.ExportAnnotationsResponse": {},
  "annotation.EvaluateAnnotationStoreResponse": {},
};

const ERROR_DETAIL: JsonObject = {
  consentErrors: [
    {
      name: "projects/p/locations/l/datasets/d/fhirStores/f/fhir/Consent/c/_history/1",
      error: {
        code: 9,
        message: "the consent is not active",
        details: [{ "@type": "type.googleapis.com/google.rpc.DebugInfo", detail: "status is draft" }],
      },
    },
  ],
  existingOperationId: "7",
};

/** Messages that stand inside the ones above and in no Any of their own. */
const PARTS = ["ProgressCounter", "dataset.EncryptionSpec", "fhir.ConsentErrors"];

const NAME = "projects/p/locations/us-central1/datasets/d/operations/17200003281";

describe.each([
  ["v1", RESPONSES],
  ["v1beta1", { ...RESPONSES, ...BETA_RESPONSES }],
])("%s", (version, responses) => {
  const type = (name: string) => `type.googleapis.com/google.cloud.healthcare.${version}.${name}`;
  const metadata: JsonObject = {
    "@type": type("OperationMetadata"),
    apiMethodName: `google.cloud.healthcare.${version}.fhir.FhirStoreService.ApplyConsents`,
    createTime: "2026-02-03T04:05:06.070809Z",
    endTime: "2026-02-03T05:05:06Z",
    cancelRequested: true,
    logsUrl: "https://console.cloud.google.com/logs/query",
    counter: {
      pending: "1",
      success: "9007199254740993",
      failure: "3",
      secondarySuccess: "4",
      secondaryFailure: "5",
    },
  };

  test.each(Object.entries(responses))(
    "an operation with a %s passes through JSON and binary unchanged",
    (name, value) => {
      const json = { name: NAME, metadata, done: true, response: { "@type": type(name), ...value } };
      expect(throughBoth(json)).toEqual(json);
    },
  );

  test("an operation with google.protobuf.Empty passes through JSON and binary unchanged", () => {
    const response = { "@type": "type.googleapis.com/google.protobuf.Empty" };
    const json = { name: NAME, metadata, done: true, response };
    expect(throughBoth(json)).toEqual(json);
  });

  test("an operation that failed keeps every field of ApplyAdminConsentsErrorDetail", () => {
    const details = [{ "@type": type("fhir.ApplyAdminConsentsErrorDetail"), ...ERROR_DETAIL }];
    const json = { name: NAME, metadata, done: true, error: { code: 9, message: "not applied", details } };
    expect(throughBoth(json)).toEqual(json);
  });

  test("a time with an offset is read, and fields of a newer API are passed over", () => {
    const newer = {
      ...metadata,
      createTime: "2026-02-03T05:05:06.5+01:00",
      shard: { id: 7 },
      counter: { skipped: "1" },
    };
    const { shard: _, ...known } = { ...newer, createTime: "2026-02-03T04:05:06.500Z", counter: {} };
    expect(throughBoth({ name: NAME, metadata: newer })).toEqual({ name: NAME, metadata: known });
  });

  test("no type is left untried", () => {
    const tried = [
      "OperationMetadata",
      "fhir.ApplyAdminConsentsErrorDetail",
      ...Object.keys(responses),
      ...PARTS,
    ];
    const prefix = `google.cloud.healthcare.${version}.`;
    const declared = FILES.flatMap((file) => file.messages)
      .filter((message) => message.typeName.startsWith(prefix))
      .map((message) => message.typeName.slice(prefix.length));
    expect(declared.sort()).toEqual(tried.sort());
  });
});

test("every Healthcare proto file is among the tried ones", () => {
  const files = readdirSync("proto/google/cloud/healthcare", { recursive: true, encoding: "utf8" });
  const protos = files.filter((file) => file.endsWith(".proto"));
  const known = FILES.map((file) => `${file.name.replace("google/cloud/healthcare/", "")}.proto`);
  expect(known.sort()).toEqual(protos.sort());
});

/** Reads JSON as from the upstream, sends it through the wire format, and prints it again. */
function throughBoth(json: JsonObject): unknown {
  const read = fromJson(OperationSchema, json, { registry, ignoreUnknownFields: true });
  const sent = fromBinary(OperationSchema, toBinary(OperationSchema, read));
  return toJson(OperationSchema, sent, { registry });
}
