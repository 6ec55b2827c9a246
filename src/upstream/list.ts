import { create } from "@bufbuild/protobuf";
import { ConnectError } from "@connectrpc/connect";
import {
  type ListOperationsRequest,
  ListOperationsRequestSchema,
  type ListOperationsResponse,
} from "../../gen/google/longrunning/operations_pb.ts";
import { UpstreamFailure } from "../errors/from-failure.ts";
import { gatewayError } from "../errors/reasons.ts";
import type { Encoded } from "../lib/encoded.ts";
import type { RestRequest, RestResponse } from "../lib/rest.ts";
import { ListTooLarge } from "../transcode/list-limit.ts";
import { decodeListOperations } from "../transcode/operation-codec.ts";

/** How often a page is asked for again with a smaller size; the first smaller one nearly always fits. */
const MAX_SMALLER_PAGES = 2;

/** Asked for when a page of the upstream's own size could not even be read: rarely more than 4 MiB of operations. */
const CAUTIOUS_PAGE_SIZE = 50;

/** How much less is asked for when nothing is known of the page but that it is larger than the gateway reads. */
const CAUTIOUS_SHRINK = 8;

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
    try {
      const response = await execute(transcode(asked));
      return decodeListOperations(response.body);
    } catch (error) {
      const tooLarge = asTooLarge(error, asked.pageSize);
      if (!tooLarge) throw error;
      if (tooLarge.pageSize === 0 || smaller === MAX_SMALLER_PAGES) throw tooLarge.toError();
      asked = create(ListOperationsRequestSchema, { ...request, pageSize: tooLarge.pageSize });
    }
  }
}

/** What to ask for instead (0: nothing smaller exists), or the error that says so. */
interface TooLarge {
  readonly pageSize: number;
  toError(): ConnectError;
}

function asTooLarge(error: unknown, pageSize: number): TooLarge | undefined {
  if (error instanceof ListTooLarge) return error;
  if (!(error instanceof ConnectError)) return undefined;
  const { cause } = error;
  if (!(cause instanceof UpstreamFailure) || cause.kind !== "too-large") return undefined;
  const next = pageSize === 0 ? CAUTIOUS_PAGE_SIZE : Math.ceil(pageSize / CAUTIOUS_SHRINK);
  const smaller = pageSize === 1 ? 0 : next;
  return { pageSize: smaller, toError: () => unreadable(smaller, cause) };
}

function unreadable(pageSize: number, cause: UpstreamFailure): ConnectError {
  const advice =
    pageSize === 0 ? "read its operation with GetOperation" : `ask for page_size ${pageSize} or less`;
  return gatewayError("LIST_TOO_LARGE", `the page is larger than the gateway reads; ${advice}`, {
    cause,
    metadata: { pageSize: String(pageSize) },
  });
}
