/**
 * What it costs to turn the upstream's JSON into protobuf bytes: JSON.parse with protobuf-es' fromJson and toBinary, the
 * gateway's plain way, and its transcoder. Run it with `node test/bench/operation-codec.ts`.
 *
 * Rounds are interleaved and the median counts, so that a busy machine slows all alike; only the ratios say something.
 */
import { fromBinary, fromJson, toBinary, toJson } from "@bufbuild/protobuf";
import { ListOperationsResponseSchema, OperationSchema } from "../../gen/google/longrunning/operations_pb.ts";
import { registry } from "../../src/lib/any-registry.ts";
import { decodeListOperations, decodeOperation } from "../../src/transcode/operation-codec.ts";
import { decodePlainList, decodePlainOperation } from "../../src/transcode/plain-operation.ts";

const ROUNDS = 31;
const ROUND_MS = 20;

/** Twenty operations as Healthcare sends them: running, finished, failed; 630 bytes of JSON each. */
const operations = Array.from({ length: 20 }, (_, i) => ({
  name: `projects/my-project/locations/us-central1/datasets/my-dataset/operations/1720000328${i}`,
  metadata: {
    "@type": "type.googleapis.com/google.cloud.healthcare.v1beta1.OperationMetadata",
    apiMethodName: "google.cloud.healthcare.v1beta1.fhir.FhirStoreService.ImportResources",
    createTime: `2026-02-03T04:05:${10 + i}.070809Z`,
    ...(i % 3 ? { endTime: `2026-02-03T05:05:${10 + i}.123456Z` } : {}),
    logsUrl:
      "https://console.cloud.google.com/logs/query;query=resource.type%3D%22healthcare_fhir_store%22?project=my-project",
    counter: { pending: String(i * 7), success: String(1000 + i), failure: "3" },
  },
  ...(i % 3 === 1
    ? {
        done: true,
        response: {
          "@type": "type.googleapis.com/google.cloud.healthcare.v1beta1.fhir.ImportResourcesResponse",
        },
      }
    : {}),
  ...(i % 3 === 2
    ? {
        done: true,
        error: {
          code: 3,
          message: "Some resources could not be imported.",
          details: [{ "@type": "type.googleapis.com/google.rpc.DebugInfo", detail: "see the logs" }],
        },
      }
    : {}),
}));

const unknownType = {
  ...operations[1],
  response: {
    "@type": "type.googleapis.com/google.cloud.healthcare.v1.fhir.BulkDeleteResult",
    resources: { deleted: "17", kept: [1, 2] },
  },
};

const bytes = (json: unknown, blanks?: number) => Buffer.from(JSON.stringify(json, null, blanks));
const text = (body: Uint8Array) => new TextDecoder().decode(body);

interface Case {
  readonly body: Uint8Array;
  readonly ways: Record<string, (body: Uint8Array) => unknown>;
}

const get = {
  "protobuf-es": (body: Uint8Array) =>
    toBinary(
      OperationSchema,
      fromJson(OperationSchema, JSON.parse(text(body)), { registry, ignoreUnknownFields: true }),
    ),
  plain: (body: Uint8Array) => decodePlainOperation(body).toBinary(),
  transcoder: (body: Uint8Array) => decodeOperation(body).toBinary(),
};
const list = {
  "protobuf-es": (body: Uint8Array) =>
    toBinary(
      ListOperationsResponseSchema,
      fromJson(ListOperationsResponseSchema, JSON.parse(text(body)), { registry, ignoreUnknownFields: true }),
    ),
  plain: (body: Uint8Array) => decodePlainList(body).toBinary(),
  transcoder: (body: Uint8Array) => decodeListOperations(body).toBinary(),
};

const cases: Record<string, Case> = {
  Get: { body: bytes(operations[1]), ways: get },
  "Get, pretty-printed": { body: bytes(operations[1], 2), ways: get },
  "Get, unknown type": {
    body: bytes(unknownType),
    ways: { plain: get.plain, transcoder: get.transcoder },
  },
  "List of 20": { body: bytes({ operations, nextPageToken: "t" }), ways: list },
  "List of 20, pretty-printed": { body: bytes({ operations, nextPageToken: "t" }, 2), ways: list },
  "List of 20 to JSON": {
    body: bytes({ operations, nextPageToken: "t" }),
    ways: {
      "protobuf-es": (body) =>
        JSON.stringify(
          toJson(
            ListOperationsResponseSchema,
            fromJson(ListOperationsResponseSchema, JSON.parse(text(body)), { registry }),
            { registry },
          ),
        ),
      transcoder: (body) => decodeListOperations(body).toJson(),
    },
  },
};

/** Microseconds of one run, over about {@link ROUND_MS}. */
function measure(way: (body: Uint8Array) => unknown, body: Uint8Array, runs: number): number {
  const start = performance.now();
  for (let i = 0; i < runs; i++) way(body);
  return ((performance.now() - start) * 1000) / runs;
}

const median = (values: number[]) => values.sort((a, b) => a - b)[values.length >> 1] ?? 0;

console.log(
  `node ${process.version}, median of ${ROUNDS} rounds, µs; in brackets the ratio to the first way`,
);
for (const [name, { body, ways }] of Object.entries(cases)) {
  const entries = Object.entries(ways);
  const runs = entries.map(([, way]) => {
    measure(way, body, 2000);
    return Math.max(1, Math.round((ROUND_MS * 1000) / measure(way, body, 500)));
  });
  const samples = entries.map((): number[] => []);
  for (let round = 0; round < ROUNDS; round++)
    for (const [i, [, way]] of entries.entries()) samples[i]?.push(measure(way, body, runs[i] ?? 1));
  const medians = samples.map(median);
  const shown = entries.map(([way], i) => {
    const value = medians[i] ?? 0;
    return `${way} ${value.toFixed(1)} (${(value / (medians[0] ?? 1)).toFixed(2)})`;
  });
  console.log(`${name} (${body.length} bytes): ${shown.join(", ")}`);
}

// What was measured must be right.
const decoded = fromBinary(
  ListOperationsResponseSchema,
  decodeListOperations(bytes({ operations })).toBinary(),
);
if (decoded.operations.length !== 20) throw new Error("the list was not decoded");
