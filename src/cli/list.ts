import { create, type JsonObject } from "@bufbuild/protobuf";
import { ListOperationsRequestSchema, type Operation } from "../../gen/google/longrunning/operations_pb.ts";
import { CommandError, EXIT } from "./exit-codes.ts";
import { type ClientSettings, openClient, readClientSettings } from "./gateway-client.ts";
import type { CommandIo } from "./io.ts";
import { operationJson, viewOperation } from "./operation-view.ts";
import { explainRpcFailure } from "./rpc-failure.ts";
import { formatTable } from "./table.ts";

/** The operations that were asked for, and what the lists said besides. */
interface Listing {
  readonly operations: readonly Operation[];
  /** Resources that the upstream could not read, by name. */
  readonly unreachable: readonly string[];
  /** Continues the list, when it was cut at the limit. */
  readonly nextPageToken: string;
}

/** Operations asked for in one call. */
const PAGE_SIZE = 100;

/** `list`: prints the operations of a dataset, page after page up to the limit. */
export async function list(
  parent: string,
  options: Readonly<Record<string, unknown>>,
  io: CommandIo,
): Promise<number> {
  const settings = readClientSettings(options, io);
  const limit = Number(options["limit"]);
  if (!Number.isSafeInteger(limit) || limit < 1)
    throw new CommandError(
      `--limit: ${JSON.stringify(options["limit"])} is not a whole number above 0`,
      EXIT.USAGE,
    );
  const listing = await fetchAll(parent, String(options["filter"] ?? ""), limit, settings).catch(
    (error: unknown) => {
      throw error instanceof CommandError ? error : explainRpcFailure(error, settings);
    },
  );
  if (settings.output === "json") io.out(`${JSON.stringify(asJson(listing), undefined, 2)}\n`);
  else printTable(listing, limit, io);
  return EXIT.OK;
}

async function fetchAll(
  name: string,
  filter: string,
  limit: number,
  settings: ClientSettings,
): Promise<Listing> {
  const client = openClient(settings);
  const operations: Operation[] = [];
  const unreachable = new Set<string>();
  const tokens = new Set<string>();
  let pageToken = "";
  do {
    if (tokens.has(pageToken))
      throw new CommandError("the list does not come to an end: a page token has come twice", EXIT.FAILED);
    tokens.add(pageToken);
    const pageSize = Math.min(PAGE_SIZE, limit - operations.length);
    const request = create(ListOperationsRequestSchema, { name, filter, pageSize, pageToken });
    const page = await client.listOperations(request, { timeoutMs: settings.timeoutMs });
    operations.push(...page.operations);
    for (const resource of page.unreachable) unreachable.add(resource);
    pageToken = page.nextPageToken;
  } while (pageToken !== "" && operations.length < limit);
  return { operations, unreachable: [...unreachable], nextPageToken: pageToken };
}

/** In the form of a ListOperationsResponse, so that what reads the API's answers reads this too. */
function asJson({ operations, unreachable, nextPageToken }: Listing): JsonObject {
  return {
    operations: operations.map(operationJson),
    ...(nextPageToken === "" ? {} : { nextPageToken }),
    ...(unreachable.length === 0 ? {} : { unreachable: [...unreachable] }),
  };
}

function printTable({ operations, unreachable, nextPageToken }: Listing, limit: number, io: CommandIo): void {
  const rows = operations.map(viewOperation).map((o) => [o.name, o.state, o.progress, o.created, o.method]);
  if (rows.length === 0) io.err("There are no operations here.\n");
  else io.out(`${formatTable(["NAME", "STATE", "PROGRESS", "CREATED", "METHOD"], rows)}\n`);
  if (nextPageToken !== "") {
    const these = limit === 1 ? "this one" : `these ${limit}`;
    io.err(`There are more than ${these}; ask for them with a higher --limit.\n`);
  }
  for (const resource of unreachable)
    io.err(`Could not be read, so its operations are missing: ${resource}\n`);
}
