import { readFileSync } from "node:fs";
import { createSecureContext } from "node:tls";
import type { UpstreamConfig } from "../config/config.ts";
import type { Clock } from "../lib/clock.ts";
import { callerCredentials, noCredentials, ownCredentials, type UpstreamCredentials } from "./credentials.ts";
import { DEFAULT_UNIVERSE, resolveEndpoint } from "./endpoint.ts";
import { FirstToken } from "./first-token.ts";
import type { TlsMaterial } from "./http1/connect.ts";
import type { OperationsApi } from "./operations-api.ts";
import { RestClient, type RestClientParts } from "./rest-client.ts";
import { RestOperations, type Transcoder } from "./rest-operations.ts";
import { RetryBudget } from "./retry-budget.ts";
import { Sender, type SendLimits } from "./send.ts";
import { TokenFailure, TokenSource } from "./token-source.ts";

/** What {@link openUpstream} needs beside the configuration. */
export interface UpstreamParts {
  readonly transcoder: Transcoder;
  readonly clock: Clock;
  /** 0 to 1, for jitter. */
  readonly random: () => number;
  /** Version of the gateway, for `user-agent`. */
  readonly version: string;
  /** Told each time that no token could be had; the message is for operators and names no secret. */
  readonly onTokenFailure?: (failure: TokenFailure) => void;
  /** Told of each attempt: its HTTP status or, without one, the kind of its failure; how long it took. */
  readonly onAttempt?: RestClientParts["onAttempt"];
}

/** The upstream, ready for calls. */
export interface Upstream {
  readonly api: OperationsApi;
  /** Scheme, host and port that requests go to. */
  readonly origin: string;
  /**
   * Resolves once the gateway has had a token of its own, which may be never; `undefined` when it needs none. Whoever
   * reads it first has the token fetched.
   */
  readonly firstToken: Promise<void> | undefined;
  /** Milliseconds until the gateway's own token expires; `undefined` without one. */
  tokenRemainingMs(): number | undefined;
  /** Requests under way or waiting for a connection. */
  load(): number;
  /** Refuses new calls, lets those under way end within their limits, closes the connections. */
  close(): Promise<void>;
}

/** A setting that the upstream cannot be opened with. */
export interface UpstreamProblem {
  /** Configuration key, e.g. `upstream.endpoint`. */
  readonly path: string;
  readonly message: string;
}

/** The scopes that have a short name in configuration. */
const SCOPE_BASE = "https://www.googleapis.com/auth/";

/** Healthcare's own scope; `cloud-platform` opens every API that the credentials may use. */
const DEFAULT_SCOPE = "cloud-healthcare";

/**
 * Opens the upstream of a configuration whose `endpoint` is set: checks what can be checked without a request, reads
 * certificates, and connects to nothing yet.
 */
export function openUpstream(
  config: UpstreamConfig & { readonly endpoint: string },
  parts: UpstreamParts,
): Upstream | { readonly problems: readonly UpstreamProblem[] } {
  const problems: UpstreamProblem[] = [];
  const tls = readTls(config, problems);
  checkProxies(config, problems);
  const endpoint = resolveEndpoint({
    endpoint: config.endpoint,
    credentials: config.credentials,
    universeDomain: config.universeDomain ?? DEFAULT_UNIVERSE,
    mtlsEndpoint: config.mtlsEndpoint ?? "auto",
    hasClientCertificate: tls.cert !== undefined,
  });
  if ("problem" in endpoint) problems.push({ path: `upstream.${endpoint.key}`, message: endpoint.problem });
  if ("problem" in endpoint || problems.length > 0) return { problems };

  const { clock, random } = parts;
  const { origin } = endpoint;
  const sender = new Sender(
    {
      origin,
      tls,
      proxy: config.proxy,
      http1: config.http1,
      timeouts: timeouts(config),
      limits: limits(config),
    },
    clock,
  );
  const tokens = config.credentials === "adc" ? tokenSource(config, origin, parts) : undefined;
  let firstToken: FirstToken | undefined;
  const client = new RestClient({
    sender,
    credentials: credentials(config, parts, tokens),
    budget: new RetryBudget(),
    clock,
    random,
    onAttempt: parts.onAttempt,
    tokenRetryAfterMs: () => tokens?.retryAfterMs ?? 0,
  });
  return {
    api: new RestOperations(parts.transcoder, client),
    origin,
    get firstToken() {
      firstToken ??= tokens && new FirstToken(tokens, clock);
      return firstToken?.had;
    },
    tokenRemainingMs: () => tokens?.remainingMs,
    load: () => sender.load,
    close() {
      firstToken?.stop();
      return sender.close();
    },
  };
}

function credentials(
  config: UpstreamConfig,
  { version }: UpstreamParts,
  tokens: TokenSource | undefined,
): UpstreamCredentials {
  const facts = { version, quotaProject: config.quotaProject };
  if (tokens) return ownCredentials(facts, tokens);
  return config.credentials === "caller" ? callerCredentials(facts) : noCredentials(facts);
}

function tokenSource(config: UpstreamConfig, origin: string, parts: UpstreamParts): TokenSource {
  const scope = config.scope ?? DEFAULT_SCOPE;
  const options = {
    scopes: [scope.startsWith("https://") ? scope : SCOPE_BASE + scope],
    quotaProject: config.quotaProject,
    universeDomain: config.universeDomain ?? DEFAULT_UNIVERSE,
    url: origin,
  };
  const fetchToken = async () => {
    try {
      // Loaded by whoever needs a token: Google's library is a tenth of the time to start.
      const { fetchGoogleToken } = await import("./google-credentials.ts");
      return await fetchGoogleToken(options);
    } catch (error) {
      if (error instanceof TokenFailure) parts.onTokenFailure?.(error);
      throw error;
    }
  };
  return new TokenSource(fetchToken, parts.clock, parts.random);
}

function timeouts(config: UpstreamConfig) {
  return definedOnly({
    connect: config.connectTimeout,
    headers: config.headersTimeout,
    body: config.bodyTimeout,
  });
}

function limits(config: UpstreamConfig): Partial<SendLimits> {
  return definedOnly({
    connections: config.connections,
    requestMs: config.requestTimeout,
    body: config.maxResponseBytes,
  });
}

/** Leaves out what is undefined, so that defaults stand. */
function definedOnly(values: Readonly<Record<string, number | undefined>>): Record<string, number> {
  const defined: Record<string, number> = {};
  for (const [name, value] of Object.entries(values)) if (value !== undefined) defined[name] = value;
  return defined;
}

function readTls(config: UpstreamConfig, problems: UpstreamProblem[]): TlsMaterial {
  const read = (path: string, file: string | undefined): string | undefined => {
    if (file === undefined) return undefined;
    try {
      return readFileSync(file, "utf8");
    } catch (error) {
      const code = error instanceof Error && "code" in error ? String(error.code) : "unknown error";
      problems.push({ path, message: `${file} cannot be read (${code})` });
      return undefined;
    }
  };
  const ca = read("upstream.ca", config.ca);
  const cert = read("upstream.client_certificate", config.clientCertificate);
  const key = read("upstream.client_key", config.clientKey);
  if ((config.clientCertificate === undefined) !== (config.clientKey === undefined))
    problems.push({
      path: config.clientKey === undefined ? "upstream.client_key" : "upstream.client_certificate",
      message: "is missing: a client certificate and its key are used together",
    });
  if (ca !== undefined) checkPem("upstream.ca", { ca }, problems);
  if (cert !== undefined && key !== undefined)
    checkPem("upstream.client_certificate", { cert, key }, problems);
  return { ca, cert, key };
}

/** OpenSSL's own verdict, so that a wrong file is told at start and not by each handshake. */
function checkPem(path: string, material: TlsMaterial, problems: UpstreamProblem[]): void {
  try {
    createSecureContext(material);
    if (material.ca !== undefined && !material.ca.includes("-----BEGIN CERTIFICATE-----")) throw new Error();
  } catch {
    const what = material.ca === undefined ? "a certificate and its key" : "certificates";
    problems.push({ path, message: `does not hold ${what} in PEM form that belong together` });
  }
}

function checkProxies(config: UpstreamConfig, problems: UpstreamProblem[]): void {
  const proxies = { HTTPS_PROXY: config.proxy?.httpsProxy, HTTP_PROXY: config.proxy?.httpProxy };
  for (const [path, value] of Object.entries(proxies)) {
    if (value === undefined || value === "") continue;
    const protocol = URL.canParse(value) ? new URL(value).protocol : "";
    if (protocol !== "http:" && protocol !== "https:")
      problems.push({ path, message: "is not an http or https URL, e.g. http://proxy.example:3128" });
  }
}
