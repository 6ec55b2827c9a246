import type { Emulator } from "./emulator.ts";
import { type ActiveFault, readFault } from "./faults.ts";
import { readFhirOperationSpec } from "./fhir-operations.ts";
import { googleError, notFound } from "./google-error.ts";
import { readObject } from "./input.ts";
import type { Json, JsonObject } from "./json.ts";
import { OPERATION_KINDS } from "./kinds.ts";
import { readOperationSpec, readOutcome } from "./operation-spec.ts";
import { jsonReply, type Reply } from "./reply.ts";
import { logEntryJson } from "./request-log.ts";
import { settingsJson } from "./settings.ts";

/** Where the control endpoint lives. No path of the API begins like that, so that no name leads here. */
export const CONTROL_PREFIX = "/emulator/v1";

/** The most operations that one request may create. */
const MAX_CREATED = 10_000;

interface Command {
  readonly verb: string;
  /** Below the prefix; a last segment `*` is handed over as `id`. */
  readonly path: string;
  readonly does: string;
  readonly run: (emulator: Emulator, body: Json, id: string, query: URLSearchParams) => Reply;
}

// biome-ignore format: a table
const COMMANDS: readonly Command[] = [
  { verb: "GET", path: "", does: "lists these commands", run: () => jsonReply(200, { commands: COMMANDS.map(describe) }) },
  { verb: "GET", path: "/kinds", does: "lists the kinds of operations", run: () => jsonReply(200, { kinds: OPERATION_KINDS.map(({ name, versions }) => ({ name, versions })) }) },
  { verb: "POST", path: "/operations", does: "creates an operation, or `count` of them", run: createOperations },
  { verb: "POST", path: "/operations:finish", does: "ends the running operation `name` now, with `outcome`", run: finishOperation },
  { verb: "POST", path: "/operations:remove", does: "forgets the operation `name`", run: removeOperation },
  { verb: "POST", path: "/fhirOperations", does: "creates a status request of a FHIR bulk export", run: createFhir },
  { verb: "POST", path: "/datasets", does: "creates the dataset `name`", run: createDataset },
  { verb: "GET", path: "/requests", does: "shows the requests that were seen", run: showRequests },
  { verb: "DELETE", path: "/requests", does: "forgets them", run: (emulator) => done(() => emulator.requests.clear()) },
  { verb: "GET", path: "/faults", does: "shows the faults in force", run: (emulator) => jsonReply(200, { faults: emulator.faults.list().map(faultJson) }) },
  { verb: "POST", path: "/faults", does: "injects a fault", run: (emulator, body) => jsonReply(200, { id: emulator.addFault(readFault(body)) }) },
  { verb: "DELETE", path: "/faults", does: "removes all faults", run: (emulator) => done(() => emulator.faults.clear()) },
  { verb: "DELETE", path: "/faults/*", does: "removes one fault", run: (emulator, _body, id) => emulator.faults.remove(Number(id)) ? jsonReply(200, {}) : notFound(`Fault ${id}`) },
  { verb: "GET", path: "/settings", does: "shows the settings", run: (emulator) => jsonReply(200, settingsJson(emulator.settings)) },
  { verb: "PATCH", path: "/settings", does: "changes the settings that are named; null is the default", run: changeSettings },
  { verb: "POST", path: "/reset", does: "goes back to the beginning", run: (emulator) => done(() => emulator.reset()) },
];

/** Performs a command of the control endpoint. Input that makes no sense is answered 400 with what is allowed. */
export function control(emulator: Emulator, verb: string, target: string, body: Uint8Array): Reply {
  const mark = target.indexOf("?");
  const path = (mark < 0 ? target : target.slice(0, mark)).slice(CONTROL_PREFIX.length).replace(/\/$/, "");
  const found = COMMANDS.map((command) => ({ command, id: match(command.path, path) })).filter(
    ({ id }) => id !== undefined,
  );
  const hit = found.find(({ command }) => command.verb === verb);
  if (!hit) {
    const verbs = found.map(({ command }) => command.verb).join(", ");
    return found.length > 0
      ? googleError(405, "UNIMPLEMENTED", `${path || "/"} takes ${verbs}, not ${verb}.`, [], { allow: verbs })
      : notFound(`Control path ${path}`);
  }
  try {
    const text = new TextDecoder().decode(body).trim();
    const input: Json = text === "" ? {} : JSON.parse(text);
    const query = new URLSearchParams(mark < 0 ? "" : target.slice(mark + 1));
    return hit.command.run(emulator, input, hit.id ?? "", query);
  } catch (error) {
    // RangeError: a value that is not allowed; SyntaxError: a body that is no JSON. Anything else is ours.
    if (error instanceof RangeError || error instanceof SyntaxError) {
      return googleError(400, "INVALID_ARGUMENT", error.message);
    }
    throw error;
  }
}

function createOperations(emulator: Emulator, body: Json): Reply {
  const input = readObject(body, "operation");
  const count = input.number("count", 1) ?? 1;
  if (!Number.isInteger(count) || count > MAX_CREATED) {
    throw new RangeError(`operation.count must be a whole number from 1 to ${MAX_CREATED}, got ${count}`);
  }
  const spec = readOperationSpec(withoutKey(body, "count"));
  if (count > 1 && spec.id !== undefined) throw new RangeError("operation.id cannot go with a count above 1");
  const names = Array.from({ length: count }, () => emulator.createOperation(spec));
  return jsonReply(200, { operations: names.map((name) => emulator.operation(name) ?? { name }) });
}

function finishOperation(emulator: Emulator, body: Json): Reply {
  const input = readObject(body, "finish");
  const name = required(input.string("name"), "finish.name");
  const outcome = readOutcome(input);
  input.end();
  emulator.finishOperation(name, outcome);
  return jsonReply(200, emulator.operation(name) ?? {});
}

function removeOperation(emulator: Emulator, body: Json): Reply {
  const input = readObject(body, "remove");
  const name = required(input.string("name"), "remove.name");
  input.end();
  return emulator.removeOperation(name) ? jsonReply(200, {}) : notFound(`Operation ${name}`);
}

function createFhir(emulator: Emulator, body: Json): Reply {
  emulator.createFhirOperation(readFhirOperationSpec(readObject(body, "fhirOperation")));
  return jsonReply(200, {});
}

function createDataset(emulator: Emulator, body: Json): Reply {
  const input = readObject(body, "dataset");
  const name = required(input.string("name"), "dataset.name");
  input.end();
  emulator.createDataset(name);
  return jsonReply(200, { name });
}

function showRequests(emulator: Emulator, _body: Json, _id: string, query: URLSearchParams): Reply {
  const method = query.get("method");
  const limit = Number(query.get("limit") ?? 100);
  if (!Number.isInteger(limit) || limit < 0)
    throw new RangeError("limit must be a whole number of 0 or more");
  const entries = emulator.requests.entries().filter((entry) => method === null || entry.method === method);
  const counts = emulator.requests.counts();
  return jsonReply(200, {
    counts: { total: counts.total, byMethod: counts.byMethod, byStatus: counts.byStatus },
    requests: limit === 0 ? [] : entries.slice(-limit).map(logEntryJson),
  });
}

function changeSettings(emulator: Emulator, body: Json): Reply {
  emulator.configure(body);
  return jsonReply(200, settingsJson(emulator.settings));
}

function done(act: () => void): Reply {
  act();
  return jsonReply(200, {});
}

function required(value: string | undefined, key: string): string {
  if (value === undefined) throw new RangeError(`${key} is required`);
  return value;
}

function withoutKey(body: Json, key: string): Json {
  return Object.fromEntries(Object.entries(body ?? {}).filter(([other]) => other !== key));
}

function faultJson(fault: ActiveFault): JsonObject {
  // A spec is plain data; printing and reading it drops what is undefined.
  return { id: fault.id, matched: fault.matched, hit: fault.hit, ...JSON.parse(JSON.stringify(fault.spec)) };
}

function describe({ verb, path, does }: Command): JsonObject {
  return { verb, path: CONTROL_PREFIX + path, does };
}

/** The part of `path` that `*` stands for, empty without one; `undefined` when they do not fit. */
function match(pattern: string, path: string): string | undefined {
  if (!pattern.endsWith("/*")) return pattern === path ? "" : undefined;
  const stem = pattern.slice(0, -1);
  const rest = path.slice(stem.length);
  return path.startsWith(stem) && rest !== "" && !rest.includes("/") ? rest : undefined;
}
