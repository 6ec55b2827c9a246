import type { Clock } from "../lib/clock.ts";
import { cancelOperation } from "./cancel-operation.ts";
import { createDemo } from "./demo.ts";
import { frontEndPage } from "./front-end-page.ts";
import { notFound } from "./google-error.ts";
import type { JsonObject } from "./json.ts";
import { listOperations } from "./list-operations.ts";
import { operationJson } from "./operation.ts";
import { createRecord, type OperationSpec } from "./operation-spec.ts";
import { checkQuery, parseQuery, type Query } from "./query.ts";
import { type Random, seededRandom } from "./random.ts";
import { jsonReply, printJson, type Reply } from "./reply.ts";
import { findRoute, type Route } from "./route.ts";
import { createStore } from "./store.ts";

/** How an emulator is set up; see docs/emulator.md. */
export interface EmulatorOptions {
  /** Time that operations live in. A simulated clock makes hours pass in milliseconds. */
  readonly clock: Clock;
  /** Ids, durations and delays come from here. Default: a fixed seed, the same on each run. */
  readonly random?: Random | undefined;
  /** Keeps the demo dataset populated. Default false. */
  readonly demo?: boolean | undefined;
}

/** An HTTP request as it came, without the transport. */
export interface EmulatorRequest {
  readonly verb: string;
  /** The request target as on the request line: raw path and query. */
  readonly target: string;
  /** By lower-case name. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: Uint8Array;
}

/** An HTTP answer, complete. */
export interface EmulatorAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

/** The Healthcare operations API in memory, without sockets: state, and requests in, answers out. */
export interface Emulator {
  /** Answers one request of the API. */
  handle(request: EmulatorRequest): Promise<EmulatorAnswer>;
  /** Creates an operation and returns its name. Throws a RangeError that says what is wrong with the spec. */
  createOperation(spec?: OperationSpec): string;
  /** The truth about an operation now, whatever lag or fault its readers see; `undefined` when there is none. */
  operation(name: string): JsonObject | undefined;
}

/** Creates an {@link Emulator}. */
export function createEmulator(options: EmulatorOptions): Emulator {
  const { clock } = options;
  const random = options.random ?? seededRandom(1);
  const store = createStore();
  const demo = options.demo ? createDemo(store, random, clock.now()) : undefined;

  function perform(route: Route, query: Query, body: Uint8Array): Reply {
    const now = clock.now();
    const refusal = checkQuery(
      query,
      route.method === "list" ? ["filter", "page_size", "page_token", "return_partial_success"] : [],
    );
    if (refusal) return refusal;
    switch (route.method) {
      case "get": {
        const operation = store.find(route.name, now);
        return operation
          ? jsonReply(200, operationJson(operation, now))
          : notFound(`Operation ${route.name}`);
      }
      case "list":
        return listOperations(route.name, query, {
          store,
          at: now,
          createdUntil: now,
          unreachable: [],
          emptyPage: false,
        });
      case "cancel":
        return cancelOperation(route.name, body, store, now);
      default:
        return notFound(route.name);
    }
  }

  function answer(request: EmulatorRequest): EmulatorAnswer {
    demo?.advance(clock.now());
    const [path = "", search = ""] = split(request.target);
    const query = parseQuery(search);
    const route = findRoute(request.verb, path);
    const measured = "content-length" in request.headers || "transfer-encoding" in request.headers;
    if ("page" in route) return render(frontEndPage(route.page, path, request.verb), query);
    if (request.verb === "POST" && !measured) return render(frontEndPage(411), query);
    return render(perform(route, query, request.body), query);
  }

  return {
    handle: async (request) => answer(request),
    createOperation(spec = {}) {
      const record = createRecord(spec, clock.now(), random);
      store.add(record);
      return record.name;
    },
    operation(name) {
      const record = store.find(name, clock.now());
      return record && operationJson(record, clock.now());
    },
  };
}

function render(reply: Reply, query: Query): EmulatorAnswer {
  const { status, headers, content } = reply;
  switch (content.type) {
    case "json": {
      const body = printJson(content.value, query.prettyPrint);
      return { status, headers: { "content-type": "application/json; charset=UTF-8", ...headers }, body };
    }
    case "bytes":
      return { status, headers: { "content-type": content.contentType, ...headers }, body: content.bytes };
    case "none":
      return { status, headers, body: new Uint8Array() };
  }
}

function split(target: string): [string, string] {
  const mark = target.indexOf("?");
  return mark < 0 ? [target, ""] : [target.slice(0, mark), target.slice(mark + 1)];
}
