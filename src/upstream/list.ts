import { create } from "@bufbuild/protobuf";
import {
  type ListOperationsRequest,
  ListOperationsRequestSchema,
  type ListOperationsResponse,
} from "../../gen/google/longrunning/operations_pb.ts";
import type { Encoded } from "../lib/encoded.ts";
import type { RestRequest, RestResponse } from "../lib/rest.ts";
import { ListTooLarge } from "../transcode/list-limit.ts";
import { decodeListOperations } from "../transcode/operation-codec.ts";

/** How often a page is asked for again with a smaller size; the first smaller one nearly always fits. */
const MAX_SMALLER_PAGES = 2;

/**
 * Lists one page; a page that is larger than clients accept is asked for again with a smaller size, which AIP-158
 * allows at any page. When even that is too large the caller is told what to ask for.
 *
 * @param transcode makes the REST request of a page
 * @param execute sends it and returns its 2xx answer
 */
export async function listPage(
  request: ListOperationsRequest,
  transcode: (request: ListOperationsRequest) => RestRequest,
  execute: (request: RestRequest) => Promise<RestResponse>,
): Promise<Encoded<ListOperationsResponse>> {
  let asked = request;
  for (let smaller = 0; ; smaller++) {
    const response = await execute(transcode(asked));
    try {
      return decodeListOperations(response.body);
    } catch (error) {
      if (!(error instanceof ListTooLarge)) throw error;
      if (error.pageSize === 0 || smaller === MAX_SMALLER_PAGES) throw error.toError();
      asked = create(ListOperationsRequestSchema, { ...request, pageSize: error.pageSize });
    }
  }
}
