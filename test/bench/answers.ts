/**
 * What the upstream of the bench answers: always the same, so that every byte of every answer can be checked. All
 * operations are under way, because a finished one is answered from memory and would not reach the upstream.
 */

/** The operation of {@link GET_BODY}. Every call asks for one of this id, since an answer about another one is refused. */
export const OPERATION_ID = "17200003281";

/** An operation as Healthcare sends it: 566 bytes of JSON. */
export const GET_BODY = JSON.stringify(operation(OPERATION_ID), null, 1).padEnd(566);

/** A page of twenty: 12.6 kB of JSON. */
export const LIST_BODY = JSON.stringify(
  { operations: Array.from({ length: 20 }, (_, i) => operation(`172000032${100 + i}`)) },
  null,
  1,
).padEnd(12_600);

/** What a cancel is answered with. */
export const CANCEL_BODY = "{}";

function operation(id: string): unknown {
  return {
    name: `projects/my-project/locations/us-central1/datasets/my-dataset/operations/${id}`,
    metadata: {
      "@type": "type.googleapis.com/google.cloud.healthcare.v1beta1.OperationMetadata",
      apiMethodName: "google.cloud.healthcare.v1beta1.fhir.FhirStoreService.ImportResources",
      createTime: "2026-02-03T04:05:06.070809Z",
      logsUrl:
        "https://console.cloud.google.com/logs/query;query=resource.type%3D%22healthcare_fhir_store%22?project=my-project",
      counter: { pending: "42", success: "1017", failure: "3" },
    },
  };
}
