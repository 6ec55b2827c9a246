import { Code, type ConnectError } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { ErrorInfoSchema, RetryInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import { LAYER_HEADER } from "../../src/errors/reasons.ts";
import { cancelled } from "../support/cancelled.ts";
import { CredentialEnvironment } from "../support/credential-environment.ts";
import { errorText } from "../support/error-text.ts";
import { fastest } from "../support/fastest.ts";
import { FaultServer, type Reply } from "../support/fault-server.ts";
import { OPERATION, startFaultUpstream } from "../support/fault-upstream.ts";
import { OpenCall } from "../support/open-call.ts";

const ADC = { credentials: "adc" } as const;

/** A metadata server that numbers its tokens, as this process's only source of credentials. */
async function startIssuer() {
  const environment = new CredentialEnvironment();
  const server = await FaultServer.start((_, reply, n) => giveToken(reply, n));
  environment.useMetadataServer(server.origin);
  return {
    server,
    async [Symbol.asyncDispose]() {
      environment[Symbol.dispose]();
      await server.close();
    },
  };
}

const FLAVOR = { "metadata-flavor": "Google" };

function giveToken(reply: Reply, n: number): void {
  reply.json(200, { access_token: `token-${n}`, expires_in: 3600, token_type: "Bearer" }, FLAVOR);
}

function refuse(reply: Reply): void {
  reply.json(
    401,
    {
      error: {
        code: 401,
        status: "UNAUTHENTICATED",
        message: "Request had invalid authentication credentials.",
        details: [
          {
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            reason: "ACCESS_TOKEN_EXPIRED",
            domain: "googleapis.com",
          },
        ],
      },
    },
    { "www-authenticate": 'Bearer realm="https://accounts.google.com/", error="invalid_token"' },
  );
}

const failure = (call: Promise<unknown>): Promise<ConnectError> =>
  call.then(
    () => expect.unreachable("the call succeeded"),
    (error) => error,
  );

const tokens = (server: FaultServer) => server.requests.map(({ headers }) => headers["authorization"]);

test("sends the gateway's own token with every call, one fetch for all, and never the caller's", async () => {
  await using issuer = await startIssuer();
  await using at = await startFaultUpstream((_, reply) => reply.json(200, { name: OPERATION }), ADC);
  const call = () => at.upstream.api.get(OPERATION, new OpenCall({ authorization: "Bearer canary" }));
  await Promise.all(Array.from({ length: 50 }, call));
  await call();
  expect(new Set(tokens(at.server))).toEqual(new Set(["Bearer token-1"]));
  expect(issuer.server.requests.length).toBe(1);
  expect(at.upstream.tokenRemainingMs()).toBeGreaterThan(3_500_000);
});

test("forces one new token and tries once more when the upstream refuses the first", async () => {
  await using issuer = await startIssuer();
  await using at = await startFaultUpstream(
    (request, reply) =>
      request.headers["authorization"] === "Bearer token-1" ? refuse(reply) : reply.json(200, {}),
    ADC,
  );
  const call = new OpenCall();
  await cancelled(at.upstream.api, OPERATION, call);
  expect(tokens(at.server)).toEqual(["Bearer token-1", "Bearer token-2"]);
  expect(call.answers).toEqual([{ httpStatus: 200, requestId: undefined, attempts: 2 }]);
  await cancelled(at.upstream.api, OPERATION, new OpenCall({ retry: false }));
  expect(issuer.server.requests.length).toBe(2);
});

test("forces one new token for all calls that are refused together", async () => {
  await using issuer = await startIssuer();
  await using at = await startFaultUpstream(
    (request, reply) =>
      request.headers["authorization"] === "Bearer token-1"
        ? refuse(reply)
        : reply.json(200, { name: OPERATION }),
    ADC,
  );
  await Promise.all(Array.from({ length: 50 }, () => at.upstream.api.get(OPERATION, new OpenCall())));
  expect(issuer.server.requests.length).toBe(2);
});

test("answers INTERNAL with the upstream's details when the new token is refused too", async () => {
  await using issuer = await startIssuer();
  await using at = await startFaultUpstream((_, reply) => refuse(reply), ADC);
  const error = await failure(at.upstream.api.get(OPERATION, new OpenCall()));
  expect(error.code).toBe(Code.Internal);
  expect(error.findDetails(ErrorInfoSchema)).toMatchObject([
    {
      reason: "UPSTREAM_CREDENTIALS_REJECTED",
      metadata: { upstreamReason: "ACCESS_TOKEN_EXPIRED", attempts: "2" },
    },
  ]);
  expect(error.metadata.get(LAYER_HEADER)).toBe("credentials");
  expect(tokens(at.server)).toEqual(["Bearer token-1", "Bearer token-2"]);
  expect(errorText(error)).not.toContain("token-");
  // A storm of refused calls does not become a storm of token requests.
  await Promise.all(
    Array.from({ length: 100 }, () => failure(at.upstream.api.get(OPERATION, new OpenCall()))),
  );
  expect(issuer.server.requests.length).toBeLessThanOrEqual(3);
});

test("does the forced refresh for a call that wants no retries too", async () => {
  await using _issuer = await startIssuer();
  await using at = await startFaultUpstream(
    (_, reply, n) => (n === 1 ? refuse(reply) : reply.json(200, { name: OPERATION })),
    ADC,
  );
  await at.upstream.api.get(OPERATION, new OpenCall({ retry: false }));
  expect(at.server.requests.length).toBe(2);
});

test("keeps a 403 for what it is", async () => {
  await using issuer = await startIssuer();
  await using at = await startFaultUpstream(
    (_, reply) => reply.json(403, { error: { code: 403, status: "PERMISSION_DENIED", message: "no" } }),
    ADC,
  );
  const error = await failure(at.upstream.api.get(OPERATION, new OpenCall()));
  expect([error.code, issuer.server.requests.length]).toEqual([Code.PermissionDenied, 1]);
});

test("answers UNAVAILABLE with a time to come back while the token service is down, and sends nothing", async () => {
  await using issuer = await startIssuer();
  issuer.server.script = (_, reply) => reply.reset();
  await using at = await startFaultUpstream((_, reply) => reply.json(200, {}), ADC);
  const error = await failure(at.upstream.api.get(OPERATION, new OpenCall()));
  expect(error.code).toBe(Code.Unavailable);
  expect(error.findDetails(ErrorInfoSchema)[0]?.reason).toBe("CREDENTIALS_UNAVAILABLE");
  expect(error.findDetails(RetryInfoSchema)).toHaveLength(1);
  expect(error.metadata.get(LAYER_HEADER)).toBe("credentials");
  expect([at.server.connections, at.tokenFailures.length]).toEqual([0, 1]);
  // A thousand callers hear of it at once, and do not ask the service a thousand times.
  const errors = await Promise.all(
    Array.from({ length: 1000 }, () => failure(at.upstream.api.get(OPERATION, new OpenCall()))),
  );
  expect(new Set(errors.map(({ code }) => code))).toEqual(new Set([Code.Unavailable]));
  expect(at.tokenFailures.length).toBeLessThanOrEqual(2);
});

test("counts the token into the caller's deadline", async () => {
  await using issuer = await startIssuer();
  issuer.server.script = (_, reply) => reply.ignore();
  await using at = await startFaultUpstream((_, reply) => reply.json(200, {}), ADC);
  const took = await fastest(250, async () => {
    const error = await failure(at.upstream.api.get(OPERATION, new OpenCall({ timeoutMs: 150 })));
    expect(error.code).toBe(Code.DeadlineExceeded);
    return undefined;
  });
  expect(took).toBeLessThan(250);
  const left = new OpenCall();
  const ended = failure(cancelled(at.upstream.api, OPERATION, left));
  left.end();
  expect((await ended).code).toBe(Code.Canceled);
  expect(at.server.connections).toBe(0);
});

test("answers INTERNAL, and no detail of the credentials, when they cannot be loaded", async () => {
  using environment = new CredentialEnvironment();
  environment.set("GOOGLE_APPLICATION_CREDENTIALS", "/no/such/canary.json");
  await using at = await startFaultUpstream((_, reply) => reply.json(200, {}), ADC);
  const error = await failure(at.upstream.api.get(OPERATION, new OpenCall()));
  expect(error.code).toBe(Code.Internal);
  expect(error.findDetails(ErrorInfoSchema)[0]?.reason).toBe("CREDENTIALS_MISCONFIGURED");
  expect(errorText(error)).not.toContain("canary");
  expect(at.tokenFailures[0]?.message).toContain("canary.json");
});

test("sends the quota project", async () => {
  await using _issuer = await startIssuer();
  await using at = await startFaultUpstream((_, reply) => reply.json(200, { name: OPERATION }), {
    ...ADC,
    quotaProject: "billed",
  });
  await at.upstream.api.get(OPERATION, new OpenCall());
  expect(at.server.requests[0]!.headers["x-goog-user-project"]).toBe("billed");
});

test.each([
  [undefined, "https://www.googleapis.com/auth/cloud-healthcare"],
  ["cloud-platform", "https://www.googleapis.com/auth/cloud-platform"],
  ["https://www.googleapis.com/auth/other", "https://www.googleapis.com/auth/other"],
])("asks for the scope of configuration %s", async (scope, url) => {
  await using issuer = await startIssuer();
  await using at = await startFaultUpstream((_, reply) => reply.json(200, { name: OPERATION }), {
    ...ADC,
    scope,
  });
  await at.upstream.api.get(OPERATION, new OpenCall());
  expect(decodeURIComponent(issuer.server.requests[0]!.path)).toContain(`scopes=${url}`);
});
