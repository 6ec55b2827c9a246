import { type Client, createClient, type Interceptor, type Transport } from "@connectrpc/connect";
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from "@connectrpc/connect-node";
import { Operations } from "../../gen/google/longrunning/operations_pb.ts";
import { OperationWatcher } from "../../gen/lrogateway/v1/operation_watcher_pb.ts";
import { parseDuration } from "../config/duration.ts";
import { parseHostPort } from "../config/host-port.ts";
import { readSmallFile } from "../config/read-small-file.ts";
import { registry } from "../lib/any-registry.ts";
import { CommandError, EXIT } from "./exit-codes.ts";
import type { CommandIo } from "./io.ts";

/** What the flags of a client command say. */
export interface ClientSettings {
  /** The gateway's origin, e.g. `http://127.0.0.1:8080`. */
  readonly origin: string;
  readonly output: "table" | "json";
  readonly protocol: "grpc" | "grpc-web" | "connect";
  /** How long a call may take, ms. */
  readonly timeoutMs: number;
  /** Value of the `authorization` header, or none. */
  readonly authorization: string | undefined;
}

/** How long a call may take when `--timeout` does not say, ms. */
const DEFAULT_TIMEOUT_MS = 30_000;

/** Checks the flags that all client commands share. Throws a {@link CommandError} that names the flag. */
export function readClientSettings(
  options: Readonly<Record<string, unknown>>,
  io: CommandIo,
): ClientSettings {
  const address = String(options["address"] ?? (io.env["LRO_GATEWAY_ADDRESS"] || "127.0.0.1:8080"));
  const tokenFile = options["tokenFile"] ?? (io.env["LRO_GATEWAY_TOKEN_FILE"] || undefined);
  const timeoutMs = readTimeout(options) ?? DEFAULT_TIMEOUT_MS;
  return {
    origin: originOf(address),
    output: options["output"] === "json" ? "json" : "table",
    protocol:
      options["protocol"] === "grpc-web" || options["protocol"] === "connect" ? options["protocol"] : "grpc",
    timeoutMs,
    authorization: tokenFile === undefined ? undefined : `Bearer ${readToken(String(tokenFile))}`,
  };
}

/** `--timeout` in milliseconds; `undefined` when it is not given. Throws a {@link CommandError} when it is wrong. */
export function readTimeout(options: Readonly<Record<string, unknown>>): number | undefined {
  const given = options["timeout"];
  if (given === undefined) return undefined;
  const timeoutMs = parseDuration(String(given));
  if (timeoutMs === undefined || timeoutMs === 0)
    throw wrong(`--timeout: ${JSON.stringify(given)} is not a duration, for example 500ms or 30s`);
  return timeoutMs;
}

/** Opens a client of lrogateway.v1.OperationWatcher on a gateway. */
export function openWatcher(settings: ClientSettings): Client<typeof OperationWatcher> {
  return createClient(OperationWatcher, openTransport(settings));
}

/** Opens a client of google.longrunning.Operations on a gateway. */
export function openClient(settings: ClientSettings): Client<typeof Operations> {
  return createClient(Operations, openTransport(settings));
}

function openTransport({ origin, protocol, authorization }: ClientSettings): Transport {
  const authorize: Interceptor = (next) => (request) => {
    if (authorization !== undefined) request.header.set("authorization", authorization);
    return next(request);
  };
  const common = { baseUrl: origin, interceptors: [authorize] };
  if (protocol === "connect")
    return createConnectTransport({ ...common, httpVersion: "1.1", jsonOptions: { registry } });
  if (protocol === "grpc-web") return createGrpcWebTransport({ ...common, httpVersion: "1.1" });
  return createGrpcTransport(common);
}

function originOf(address: string): string {
  if (parseHostPort(address)) return `http://${address}`;
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (
    url &&
    /^https?:\/\//i.test(address) &&
    url.pathname === "/" &&
    url.username === "" &&
    url.search === ""
  )
    return url.origin;
  throw wrong(
    `--address: ${JSON.stringify(address)} is neither host:port nor a URL, for example 127.0.0.1:8080 or https://gateway.example`,
  );
}

/** Reads an access token: one line of visible ASCII. Never repeats what the file holds. */
function readToken(file: string): string {
  const read = readSmallFile(file);
  if ("problem" in read) throw wrong(`--token-file: cannot read ${file}: ${read.problem}`);
  const token = read.text.trim();
  if (token === "") throw wrong(`--token-file: ${file} is empty; write an access token into it`);
  if (!/^[\x21-\x7e]+$/.test(token))
    throw wrong(`--token-file: ${file} holds more than a token; it must be one line of ASCII without blanks`);
  return token;
}

function wrong(message: string): CommandError {
  return new CommandError(message, EXIT.USAGE);
}
