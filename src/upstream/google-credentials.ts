import { GoogleAuth, gaxios, gcpMetadata, JWT } from "google-auth-library";
import { type AccessToken, TokenFailure } from "./token-source.ts";

/** What a token is asked for. */
export interface GoogleCredentialsOptions {
  /** OAuth scopes, e.g. `https://www.googleapis.com/auth/cloud-healthcare`. */
  readonly scopes: readonly string[];
  /** The project whose quota and bill the calls count on; over what the credentials and the environment say. */
  readonly quotaProject?: string | undefined;
  /** Where the credentials must come from, e.g. `googleapis.com`. */
  readonly universeDomain: string;
  /** The resource the token is for; some kinds of credentials want to know. */
  readonly url: string;
  /** Milliseconds for one request to a token service. Default {@link TOKEN_REQUEST_TIMEOUT_MS}. */
  readonly requestTimeoutMs?: number;
}

/** Half of what the token source gives a fetch in all, which may take two requests. */
const TOKEN_REQUEST_TIMEOUT_MS = 5_000;

/** Token answers are one or two KiB. */
const TOKEN_RESPONSE_BYTES = 256 * 1024;

/**
 * Given instead of a real project id: asking for the token's headers would otherwise look it up in the environment, by
 * running `gcloud` and by asking the metadata server, although nothing here uses it.
 */
const NO_PROJECT_LOOKUP = "unused";

/**
 * Gets a new access token from Application Default Credentials (https://google.aip.dev/auth/4110): a service account
 * key, workload identity federation, impersonation, a user's login, or the metadata server.
 *
 * The credentials are read anew each time, so a rotated key file is picked up, and no state of the library (a cached
 * `Bearer undefined`, a refresh for each parallel caller of impersonated credentials) outlives one fetch.
 *
 * @throws TokenFailure whose message names no secret
 */
export async function fetchGoogleToken(options: GoogleCredentialsOptions): Promise<AccessToken> {
  try {
    // Otherwise a metadata server that was not up yet at the first try is never asked again.
    gcpMetadata.resetIsAvailableCache();
    const transporter = new TokenTransporter({
      timeout: options.requestTimeoutMs ?? TOKEN_REQUEST_TIMEOUT_MS,
    });
    const auth = new GoogleAuth({
      scopes: [...options.scopes],
      projectId: NO_PROJECT_LOOKUP,
      clientOptions: { transporter },
    });
    const client = await auth.getClient();
    checkUniverse(client.universeDomain, options.universeDomain);
    boundTokenExchange(client, transporter);
    if (client instanceof JWT) useTokenUri(client, auth.jsonContent, transporter);
    const headers = await client.getRequestHeaders(options.url);
    return {
      authorization: checkShape(headers.get("authorization")),
      quotaProject: options.quotaProject ?? headers.get("x-goog-user-project") ?? undefined,
      // The library sets it from the issuer's `expires_in` at the moment of the answer, so the wall clock cancels out.
      lifetimeMs: client.credentials.expiry_date
        ? client.credentials.expiry_date - Date.now()
        : DEFAULT_LIFETIME_MS,
    };
  } catch (error) {
    throw asTokenFailure(error);
  }
}

/** For an issuer that does not say how long its token lives; short, because the upstream's 401 also tells. */
const DEFAULT_LIFETIME_MS = 600_000;

/**
 * The library's HTTP client with limits: it has none of its own, retries a failing token service four times within two
 * seconds, and follows redirects. Pacing is the token source's work.
 */
class TokenTransporter extends gaxios.Gaxios {
  /** What is asked in place of {@link GOOGLE_TOKEN_URL}. */
  tokenUri: string | undefined;

  override request<T>(options: gaxios.GaxiosOptions = {}): gaxios.GaxiosPromise<T> {
    const { retryConfig: _, ...rest } = options;
    return super.request<T>({
      ...rest,
      ...(this.tokenUri !== undefined && String(rest.url) === GOOGLE_TOKEN_URL ? { url: this.tokenUri } : {}),
      retry: false,
      maxContentLength: TOKEN_RESPONSE_BYTES,
      redirect: "error",
    });
  }
}

/** Where the library exchanges the key of a service account, whatever the key file says. */
const GOOGLE_TOKEN_URL = "https://oauth2.googleapis.com/token";

/**
 * A service account key names its token service in `token_uri` (https://google.aip.dev/auth/4112), which the library
 * does not read. The assertion is made out to that service too, so that it is of no use at Google's.
 */
function useTokenUri(client: JWT, key: object | null, transporter: TokenTransporter): void {
  const uri: unknown = Reflect.get(key ?? {}, "token_uri");
  if (typeof uri !== "string" || uri === "" || uri === GOOGLE_TOKEN_URL) return;
  if (!URL.canParse(uri))
    throw new TokenFailure("rejected", "token_uri of the service account key is not a URL");
  transporter.tokenUri = uri;
  client.additionalClaims = { ...client.additionalClaims, aud: uri };
}

/** External accounts exchange their token over a transporter of their own, which takes no options: put ours there. */
function boundTokenExchange(client: object, transporter: gaxios.Gaxios): void {
  const exchange: unknown = Reflect.get(client, "stsCredential");
  if (typeof exchange === "object" && exchange !== null) Reflect.set(exchange, "transporter", transporter);
}

function checkUniverse(ofCredentials: string, configured: string): void {
  if (ofCredentials !== configured)
    throw new TokenFailure(
      "rejected",
      `the credentials belong to the universe ${ofCredentials}, the gateway is configured for ${configured}`,
    );
}

const NO_USABLE_TOKEN = "the token service answered without a usable token";

/** https://www.rfc-editor.org/rfc/rfc6750#section-2.1; the library turns a missing token into `Bearer undefined`. */
function checkShape(authorization: string | null): string {
  const token = /^Bearer ([A-Za-z0-9\-._~+/]+=*)$/.exec(authorization ?? "")?.[1];
  if (authorization === null || token === undefined || token === "undefined" || token === "null")
    throw new TokenFailure("unavailable", NO_USABLE_TOKEN);
  return authorization;
}

/** Answers of a token service that mean that it, not the credentials, is at fault. */
function isTransient(status: number): boolean {
  return status === 408 || status === 429 || status >= 500;
}

function asTokenFailure(error: unknown): TokenFailure {
  if (error instanceof TokenFailure) return error;
  const status = answerStatus(error);
  if (status !== undefined)
    return new TokenFailure(
      isTransient(status) ? "unavailable" : "rejected",
      `the token service answered HTTP ${status}`,
      error,
    );
  if (error instanceof gaxios.GaxiosError)
    return new TokenFailure("unavailable", "the token service could not be reached", error);
  // What `Headers` throws for a token that is no header value; it quotes the token, so it goes no further.
  if (error instanceof TypeError) return new TokenFailure("unavailable", NO_USABLE_TOKEN);
  return new TokenFailure("rejected", `the credentials could not be loaded: ${loadProblem(error)}`, error);
}

/** The library's own sentence, but for a file that is not JSON: that error quotes the file, which holds a key. */
function loadProblem(error: unknown): string {
  if (error instanceof SyntaxError) return "the credentials file is not JSON";
  return error instanceof Error ? error.message : "unknown reason";
}

/** The HTTP status that a failed token request was answered with. */
function answerStatus(error: unknown): number | undefined {
  if (typeof error !== "object" || error === null) return undefined;
  const response: unknown = Reflect.get(error, "response");
  if (typeof response !== "object" || response === null) return undefined;
  const status: unknown = Reflect.get(response, "status");
  return typeof status === "number" ? status : undefined;
}
