import { X509Certificate } from "node:crypto";
import { type Client, createClient, type Interceptor, type Transport } from "@connectrpc/connect";
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from "@connectrpc/connect-node";
import { Operations } from "../../gen/google/longrunning/operations_pb.ts";
import { OperationWatcher } from "../../gen/lrogateway/v1/operation_watcher_pb.ts";
import { parseDuration } from "../config/duration.ts";
import { readSmallFile } from "../config/read-small-file.ts";
import { registry } from "../lib/any-registry.ts";
import { commandLine } from "./command-line.ts";
import { CommandError, EXIT } from "./exit-codes.ts";
import { type GatewayAddress, parseGatewayAddress } from "./gateway-address.ts";
import type { CommandIo } from "./io.ts";

/** What the flags of a client command say. */
export interface ClientSettings {
  readonly address: GatewayAddress;
  /** The authorities to trust for it, PEM; absent: those that ship with Node. */
  readonly ca: string | undefined;
  readonly output: "table" | "json";
  readonly protocol: "grpc" | "grpc-web" | "connect";
  /** How long a call may take, ms. */
  readonly timeoutMs: number;
  /** Value of the `authorization` header, or none. */
  readonly authorization: string | undefined;
  /** The line to paste that calls the same gateway in the same way. */
  readonly lineFor: (command: string, name: string) => string;
}

/** How long a call may take when `--timeout` does not say, ms. */
const DEFAULT_TIMEOUT_MS = 30_000;

/** Checks the flags that all client commands share. Throws a {@link CommandError} that names the flag. */
export function readClientSettings(
  options: Readonly<Record<string, unknown>>,
  io: CommandIo,
): ClientSettings {
  const given = (name: string, variable: string): string | undefined =>
    textOf(options[name]) ?? (io.env[variable] || undefined);
  const addressText = given("address", "LRO_GATEWAY_ADDRESS");
  const tokenFile = given("tokenFile", "LRO_GATEWAY_TOKEN_FILE");
  const caFile = given("ca", "LRO_GATEWAY_CA");
  const protocol = textOf(options["protocol"]);
  const address = readAddress(addressText ?? "127.0.0.1:8080");
  if (tokenFile !== undefined) checkConfidential(address);
  // A variable is for all gateways that are called with it, some of them without TLS.
  if (options["ca"] !== undefined && !address.tls)
    throw wrong(`--ca: ${address.text} is called without TLS; give https://… as --address`);
  const flags = { "--address": addressText, "--token-file": tokenFile, "--ca": caFile };
  return {
    address,
    ca: caFile === undefined || !address.tls ? undefined : readCa(caFile),
    output: options["output"] === "json" ? "json" : "table",
    protocol: protocol === "grpc-web" || protocol === "connect" ? protocol : "grpc",
    timeoutMs: readTimeout(options) ?? DEFAULT_TIMEOUT_MS,
    authorization: tokenFile === undefined ? undefined : `Bearer ${readToken(tokenFile)}`,
    lineFor: (command, name) =>
      commandLine([
        ...[io.program, command, name],
        ...Object.entries(flags).flatMap(([flag, value]) => (value === undefined ? [] : [flag, value])),
        ...(protocol === undefined || protocol === "grpc" ? [] : ["--protocol", protocol]),
      ]),
  };
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

/** The longest `--timeout`: what Node.js can count is less than a day more. */
const MAX_TIMEOUT = "576h";

/** `--timeout` in milliseconds; `undefined` when it is not given. Throws a {@link CommandError} when it is wrong. */
export function readTimeout(options: Readonly<Record<string, unknown>>): number | undefined {
  const given = options["timeout"];
  if (given === undefined) return undefined;
  const timeoutMs = parseDuration(String(given));
  if (timeoutMs === undefined || timeoutMs === 0)
    throw wrong(`--timeout: ${JSON.stringify(given)} is not a duration, for example 500ms or 30s`);
  if (timeoutMs > (parseDuration(MAX_TIMEOUT) ?? 0))
    throw wrong(`--timeout: ${JSON.stringify(given)} is longer than ${MAX_TIMEOUT}, 24 days`);
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

function openTransport({ address, ca, protocol, authorization }: ClientSettings): Transport {
  const authorize: Interceptor = (next) => (request) => {
    if (authorization !== undefined) request.header.set("authorization", authorization);
    return next(request);
  };
  const { origin, socketPath } = address;
  const trust = ca === undefined ? {} : { ca };
  const common = { baseUrl: origin, interceptors: [authorize] };
  // node:http and node:http2 call the path of a socket by different names.
  const http1 = { httpVersion: "1.1", nodeOptions: { ...trust, ...(socketPath && { socketPath }) } } as const;
  if (protocol === "connect")
    return createConnectTransport({ ...common, ...http1, jsonOptions: { registry } });
  if (protocol === "grpc-web") return createGrpcWebTransport({ ...common, ...http1 });
  return createGrpcTransport({
    ...common,
    nodeOptions: { ...trust, ...(socketPath && { path: socketPath }) },
  });
}

function readAddress(text: string): GatewayAddress {
  const address = parseGatewayAddress(text);
  if (address) return address;
  throw wrong(
    `--address: ${JSON.stringify(text)} is neither host:port nor a URL nor unix:/path, for example 127.0.0.1:8080 or https://gateway.example`,
  );
}

/** A token on a plain connection can be read by whoever is on the way; the gateway itself sends none there either. */
function checkConfidential({ text, tls, local }: GatewayAddress): void {
  if (!tls && !local)
    throw wrong(
      `--token-file: the token would travel readably to ${text}, which is called in clear text; give https://… as --address (host:port means http)`,
    );
}

/** Reads the authorities to trust from a PEM file. */
function readCa(file: string): string {
  const read = readSmallFile(file);
  if ("problem" in read) throw wrong(`--ca: cannot read ${file}: ${read.problem}`);
  const certificates = read.text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  if (certificates.length === 0 || !certificates.every(isCertificate))
    throw wrong(`--ca: ${file} holds no certificate in PEM form, or one that cannot be read`);
  return read.text;
}

function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).subject !== undefined;
  } catch {
    return false;
  }
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
