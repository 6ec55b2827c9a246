import { parseFilter } from "./filter.ts";
import { badRequest, googleError, notFound } from "./google-error.ts";
import type { JsonObject } from "./json.ts";
import { type OperationRecord, operationJson } from "./operation.ts";
import { formatPageToken, type PagePosition, parsePageToken } from "./page-token.ts";
import { boolField, int32Field, type Query } from "./query.ts";
import { jsonReply, type Reply } from "./reply.ts";
import { newestFirst, type Store } from "./store.ts";

/** Operations on a page when the request does not say. */
const DEFAULT_PAGE_SIZE = 100;

/** The largest page; a larger `pageSize` is cut to it, as AIP-158 asks. */
const MAX_PAGE_SIZE = 1000;

/** What a list sees of the world. */
export interface ListView {
  readonly store: Store;
  /** The moment whose state the list shows: now, or a little earlier where reads lag. */
  readonly at: number;
  /** Operations created after this moment are not in the list yet. */
  readonly createdUntil: number;
  /** Prefixes of names (e.g. a location) that cannot be reached just now. */
  readonly unreachable: readonly string[];
  /** Answers without operations but with a token to go on, as AIP-158 allows at any time. */
  readonly emptyPage: boolean;
}

/** Answers `operations.list` for a dataset; a `-` in place of a location or dataset means all of them. */
export function listOperations(parent: string, query: Query, view: ListView): Reply {
  const pageSize = int32Field(query, "page_size");
  if (typeof pageSize === "object") return pageSize;
  if (pageSize !== undefined && pageSize < 0) {
    return badRequest("The page size must not be negative.", "page_size");
  }
  const partial = boolField(query, "return_partial_success");
  if (typeof partial === "object") return partial;
  const filterText = query.fields.get("filter") ?? "";
  const filter = parseFilter(filterText);
  if (!filter) return badRequest(`Invalid list filter: "${filterText}"`, "filter");
  const list = `${parent} ${filterText}`;
  const token = query.fields.get("page_token") ?? "";
  const position = token === "" ? undefined : parsePageToken(token);
  if (token !== "" && position?.list !== list) return badRequest("Invalid page token.", "page_token");

  const datasets = view.store.datasets().filter((dataset) => isIn(dataset, parent));
  if (datasets.length === 0 && !parent.includes("/-")) return notFound(`Dataset ${parent}`);
  const unreachable = view.unreachable.filter((prefix) =>
    datasets.some((dataset) => isUnder(dataset, prefix)),
  );
  if (unreachable.length > 0 && !partial) {
    return googleError(503, "UNAVAILABLE", `${unreachable.join(", ")} cannot be reached.`);
  }
  const reachable = datasets.filter((dataset) => !unreachable.some((prefix) => isUnder(dataset, prefix)));
  const all = reachable
    .flatMap((dataset) => view.store.operations(dataset, view.at))
    .filter((operation) => operation.createdAt <= view.createdUntil && filter(operation, view.at));
  if (reachable.length > 1) all.sort(newestFirst);
  const size = Math.min(pageSize || DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE);
  return jsonReply(200, { ...page(all, position, size, list, view), unreachable: nonEmpty(unreachable) });
}

function page(
  all: readonly OperationRecord[],
  position: PagePosition | undefined,
  size: number,
  list: string,
  view: ListView,
): JsonObject {
  const start = position ? firstAfter(all, position) : 0;
  if (view.emptyPage) {
    const { createdAt, id } = position ?? { createdAt: Number.MAX_SAFE_INTEGER, id: "" };
    return { nextPageToken: formatPageToken({ createdAt, id, list }) };
  }
  const shown = all.slice(start, start + size);
  const last = shown.at(-1);
  const more = last !== undefined && start + size < all.length;
  return {
    operations: nonEmpty(shown.map((operation) => operationJson(operation, view.at))),
    nextPageToken: more ? formatPageToken({ createdAt: last.createdAt, id: last.id, list }) : undefined,
  };
}

function firstAfter(all: readonly OperationRecord[], position: PagePosition): number {
  const index = all.findIndex((operation) => newestFirst(operation, position) > 0);
  return index < 0 ? all.length : index;
}

/** Whether the dataset is what the parent names, segment by segment. */
function isIn(dataset: string, parent: string): boolean {
  const names = dataset.split("/");
  return parent.split("/").every((part, index) => part === names[index] || (part === "-" && index > 1));
}

function isUnder(dataset: string, prefix: string): boolean {
  return dataset === prefix || dataset.startsWith(`${prefix}/`);
}

/** ProtoJSON leaves out empty lists. */
function nonEmpty<T>(list: readonly T[]): readonly T[] | undefined {
  return list.length > 0 ? list : undefined;
}
