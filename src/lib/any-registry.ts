import type { Registry } from "@bufbuild/protobuf";
import { createRegistry } from "@bufbuild/protobuf";
import {
  file_google_protobuf_any,
  file_google_protobuf_duration,
  file_google_protobuf_empty,
  file_google_protobuf_field_mask,
  file_google_protobuf_struct,
  file_google_protobuf_timestamp,
  file_google_protobuf_wrappers,
} from "@bufbuild/protobuf/wkt";
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
import { file_google_longrunning_operations } from "../../gen/google/longrunning/operations_pb.ts";
import { file_google_rpc_error_details } from "../../gen/google/rpc/error_details_pb.ts";
import { file_google_rpc_status } from "../../gen/google/rpc/status_pb.ts";

/**
 * Every message type that may stand in a google.protobuf.Any here: one registry to parse, to print, for error details
 * and for reflection. Both API versions always: an operation carries the types of the version that started it, not
 * of the one that reads it.
 *
 * It lies in lib/ and not in transcode/ because error details need it too.
 */
export const registry: Registry = createRegistry(
  file_google_protobuf_any,
  file_google_protobuf_duration,
  file_google_protobuf_empty,
  file_google_protobuf_field_mask,
  file_google_protobuf_struct,
  file_google_protobuf_timestamp,
  file_google_protobuf_wrappers,
  file_google_rpc_status,
  file_google_rpc_error_details,
  file_google_longrunning_operations,
  file_google_cloud_healthcare_v1_consent_consent,
  file_google_cloud_healthcare_v1_dataset_dataset,
  file_google_cloud_healthcare_v1_deidentify_deidentify,
  file_google_cloud_healthcare_v1_dicom_dicom,
  file_google_cloud_healthcare_v1_fhir_fhir,
  file_google_cloud_healthcare_v1_hl7v2_hl7v2,
  file_google_cloud_healthcare_v1_operation_metadata,
  file_google_cloud_healthcare_v1_storageinfo_storageinfo,
  file_google_cloud_healthcare_v1beta1_annotation_annotation,
  file_google_cloud_healthcare_v1beta1_consent_consent,
  file_google_cloud_healthcare_v1beta1_dataset_dataset,
  file_google_cloud_healthcare_v1beta1_deidentify_deidentify,
  file_google_cloud_healthcare_v1beta1_dicom_dicom,
  file_google_cloud_healthcare_v1beta1_fhir_fhir,
  file_google_cloud_healthcare_v1beta1_hl7v2_hl7v2,
  file_google_cloud_healthcare_v1beta1_operation_metadata,
  file_google_cloud_healthcare_v1beta1_storageinfo_storageinfo,
);
