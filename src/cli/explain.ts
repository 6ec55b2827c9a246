import { type DescMethod, fromJson, type JsonObject, type Message } from "@bufbuild/protobuf";
import { Operations } from "../../gen/google/longrunning/operations_pb.ts";
import type { UpstreamConfig } from "../config/config.ts";
import { compileRules } from "../gateway/backend.ts";
import { nearest } from "../lib/nearest.ts";
import type { RestRequest } from "../lib/rest.ts";
import { headersFor, outboundHeaders, withAuthorization } from "../upstream/headers.ts";
import { configure, type Loaded } from "./configure.ts";
import { CommandError, EXIT } from "./exit-codes.ts";
import type { CommandIo } from "./io.ts";
import { describeRpcFailure } from "./rpc-failure.ts";
import { explainStartFailure } from "./start-failure.ts";
import { packageVersion } from "./version.ts";

/** What stands for the endpoint when none is configured: the embedded emulator has no address before it runs. */
const PUBLIC_ENDPOINT = "https://healthcare.googleapis.com";

/** What a wait is made of, whatever the rules say of WaitOperation. */
const READ = Operations.method.getOperation;

/** What stands for the token in each credentials mode; never a real one. */
const HIDDEN_TOKEN: Readonly<Record<UpstreamConfig["credentials"], string | undefined>> = {
  adc: "Bearer (hidden: the gateway's own token)",
  caller: "(hidden: what the caller sends)",
  none: undefined,
};

/** `explain`: prints the HTTP request that the gateway would send for a call. Sends nothing and fetches no token. */
export async function explain(
  methodName: string,
  name: string,
  options: Readonly<Record<string, unknown>>,
  io: CommandIo,
): Promise<number> {
  const loaded = configure(options, io);
  const method = findMethod(methodName);
  const message = readMessage(method, name, options["data"]);
  const waits = method === Operations.method.waitOperation;
  const request = waits
    ? transcode(READ, readMessage(READ, name, undefined), loaded)
    : transcode(method, message, loaded);
  const { endpoint } = loaded.config.upstream;
  if (endpoint === undefined) io.err(`upstream.endpoint is not set; this is for ${PUBLIC_ENDPOINT}.\n`);
  if (waits)
    io.err("The gateway answers WaitOperation itself: it reads the operation like this until it is done.\n");
  io.out(formatRequest(request, loaded.config.upstream));
  return EXIT.OK;
}

/** Finds a method by its full name, its name, or the verb alone: `Operations/GetOperation`, `GetOperation`, `get`. */
function findMethod(text: string): DescMethod {
  const wanted = text.split(/[/.]/).at(-1)?.toLowerCase() ?? "";
  const found = Operations.methods.find(({ name }) =>
    [name, shortName(name)].some((known) => known.toLowerCase() === wanted),
  );
  if (found) return found;
  const names = Operations.methods.map(({ name }) => name);
  const meant = nearest(wanted, names) ?? nearest(wanted, names.map(shortName));
  throw new CommandError(
    `there is no method ${JSON.stringify(text)}${meant ? ` (did you mean ${meant}?)` : ""}; allowed: ${names.join(", ")}`,
    EXIT.USAGE,
  );
}

/** `get` for `GetOperation`, `list` for `ListOperations`. */
function shortName(method: string): string {
  return method.replace(/Operations?$/, "").toLowerCase();
}

/** The request message: the name, and in ProtoJSON what else was given. */
function readMessage({ input }: DescMethod, name: string, data: unknown): Message {
  try {
    const fields: unknown = data === undefined ? {} : JSON.parse(String(data));
    // fromJson checks that it is an object with the message's fields.
    return fromJson(input, { ...(fields as JsonObject), name });
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new CommandError(`--data is not a ${input.typeName} in JSON: ${why}`, EXIT.USAGE);
  }
}

function transcode(method: DescMethod, message: Message, { config, origins }: Loaded): RestRequest {
  let bindings: ReturnType<typeof compileRules>;
  try {
    bindings = compileRules(config.upstream);
  } catch (error) {
    throw explainStartFailure(error, config.listen, origins);
  }
  try {
    return bindings.transcode(method, message);
  } catch (error) {
    throw new CommandError(`nothing would be sent: ${describeRpcFailure(error)}`, EXIT.USAGE);
  }
}

/** Request line, headers, body, in the form of an HTTP/1.1 message with the whole URL. */
function formatRequest(request: RestRequest, upstream: UpstreamConfig): string {
  const { endpoint = PUBLIC_ENDPOINT, credentials, quotaProject } = upstream;
  const facts = { version: packageVersion(), quotaProject };
  const authorization = HIDDEN_TOKEN[upstream.endpoint === undefined ? "adc" : credentials];
  const common = outboundHeaders(facts);
  const flat = headersFor(request, authorization ? withAuthorization(common, authorization) : common);
  const lines = [`${request.verb} ${endpoint}${request.path}`];
  for (let at = 0; at < flat.length; at += 2) lines.push(`${flat[at]}: ${flat[at + 1]}`);
  if (request.verb !== "GET") lines.push(`content-length: ${request.body?.length ?? 0}`);
  return `${lines.join("\n")}\n\n${request.body ? `${Buffer.from(request.body).toString()}\n` : ""}`;
}
