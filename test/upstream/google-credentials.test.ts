import { generateKeyPairSync } from "node:crypto";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { expect, test, vi } from "vitest";
import { fetchGoogleToken, type GoogleCredentialsOptions } from "../../src/upstream/google-credentials.ts";
import { TokenFailure } from "../../src/upstream/token-source.ts";
import { CA_CERTIFICATE, SERVER_CERTIFICATE, SERVER_KEY } from "../support/certificates.ts";
import { startConnectProxy } from "../support/connect-proxy.ts";
import { CredentialEnvironment } from "../support/credential-environment.ts";
import { fastest } from "../support/fastest.ts";
import { FaultServer, type Script } from "../support/fault-server.ts";

const HEALTHCARE = "https://www.googleapis.com/auth/cloud-healthcare";
const OPTIONS: GoogleCredentialsOptions = {
  scopes: [HEALTHCARE],
  universeDomain: "googleapis.com",
  url: "https://healthcare.googleapis.com",
};

/** The failure of a fetch that must fail. */
async function failureOf(options = OPTIONS): Promise<TokenFailure> {
  const failure = await fetchGoogleToken(options).then(
    () => expect.unreachable("there is a token"),
    (error) => error,
  );
  expect(failure).toBeInstanceOf(TokenFailure);
  return failure;
}

/** A metadata server that gives `token` to whoever asks for the default service account's. */
function metadata(token: unknown, status = 200): Script {
  return (_, reply) => reply.json(status, token, { "metadata-flavor": "Google" });
}

const GOOD = { access_token: "ya29.token", expires_in: 3599, token_type: "Bearer" };

/** An external account whose token service is ours. */
function externalAccount(sts: FaultServer, tokenFile: string, more: Record<string, unknown> = {}) {
  return {
    type: "external_account",
    audience: "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/q",
    subject_token_type: "urn:ietf:params:oauth:token-type:jwt",
    token_url: `${sts.origin}/v1/token`,
    credential_source: { file: tokenFile },
    ...more,
  };
}

/** Plays Google's hosts: TLS with a certificate that is trusted here only, reached through a proxy. */
async function playGoogle(environment: CredentialEnvironment, script: Script) {
  const server = await FaultServer.start(script, { cert: SERVER_CERTIFICATE, key: SERVER_KEY });
  const proxy = await startConnectProxy(server.port);
  const before = getCACertificates("default");
  setDefaultCACertificates([CA_CERTIFICATE]);
  environment.set("HTTPS_PROXY", proxy.url);
  return {
    server,
    proxy,
    async [Symbol.asyncDispose]() {
      setDefaultCACertificates(before);
      await server.close();
      await proxy[Symbol.asyncDispose]();
    },
  };
}

function serviceAccountKey(more: Record<string, unknown> = {}) {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  return {
    type: "service_account",
    project_id: "p",
    private_key_id: "k",
    private_key: privateKey.export({ type: "pkcs8", format: "pem" }),
    client_email: "gateway@p.iam.gserviceaccount.com",
    token_uri: "https://oauth2.googleapis.com/token",
    ...more,
  };
}

/** Claims of a JWT, unchecked. */
function claims(jwt: string | null): Record<string, unknown> {
  return JSON.parse(Buffer.from(jwt?.split(".")[1] ?? "", "base64url").toString());
}

test("gets the token of the metadata server, for the scope asked for", async () => {
  using environment = new CredentialEnvironment();
  await using server = await FaultServer.start(metadata(GOOD));
  environment.useMetadataServer(server.origin);
  const token = await fetchGoogleToken(OPTIONS);
  expect(token).toMatchObject({ authorization: "Bearer ya29.token", quotaProject: undefined });
  expect(token.lifetimeMs).toBeGreaterThan(3_590_000);
  expect(token.lifetimeMs).toBeLessThanOrEqual(3_599_000);
  // Nothing but the token: no project, no universe.
  expect(server.requests.map(({ path }) => decodeURIComponent(path))).toEqual([
    `/computeMetadata/v1/instance/service-accounts/default/token?scopes=${HEALTHCARE}`,
  ]);
});

test.each([-600_000, 600_000])(
  "knows how long a token lives although the clock is wrong by %i ms",
  async (skew) => {
    using environment = new CredentialEnvironment();
    await using server = await FaultServer.start(metadata(GOOD));
    environment.useMetadataServer(server.origin);
    vi.setSystemTime(Date.now() + skew);
    try {
      const { lifetimeMs } = await fetchGoogleToken(OPTIONS);
      expect(lifetimeMs).toBeGreaterThan(3_590_000);
      expect(lifetimeMs).toBeLessThanOrEqual(3_599_000);
    } finally {
      vi.useRealTimers();
    }
  },
);

test("finds a metadata server that was not up at the first try", async () => {
  using environment = new CredentialEnvironment();
  const server = await FaultServer.start(metadata(GOOD));
  environment.set("GCE_METADATA_HOST", server.origin.replace("http://", ""));
  environment.set("METADATA_SERVER_DETECTION", "ping-only");
  server.script = metadata({}, 404);
  expect(await failureOf()).toMatchObject({ kind: "rejected" });
  server.script = metadata(GOOD);
  expect(await fetchGoogleToken(OPTIONS)).toMatchObject({ authorization: "Bearer ya29.token" });
  await server.close();
});

test("exchanges a service account key, for the scope asked for", async () => {
  using environment = new CredentialEnvironment();
  await using google = await playGoogle(environment, (_, reply) => reply.json(200, GOOD));
  environment.useCredentials(serviceAccountKey());
  expect(await fetchGoogleToken(OPTIONS)).toMatchObject({ authorization: "Bearer ya29.token" });
  expect(google.proxy.seen).toEqual(["CONNECT oauth2.googleapis.com:443"]);
  const [request] = google.server.requests;
  expect(request).toMatchObject({ method: "POST", path: "/token" });
  expect(claims(new URLSearchParams(request!.body).get("assertion"))).toMatchObject({
    iss: "gateway@p.iam.gserviceaccount.com",
    scope: HEALTHCARE,
  });
});

test("asks the token service that the key names, with an assertion for that one alone", async () => {
  using environment = new CredentialEnvironment();
  await using server = await FaultServer.start((_, reply) => reply.json(200, GOOD));
  const token_uri = `${server.origin}/token`;
  environment.useCredentials(serviceAccountKey({ token_uri }));
  expect(await fetchGoogleToken(OPTIONS)).toMatchObject({ authorization: "Bearer ya29.token" });
  expect(server.requests).toHaveLength(1);
  expect(claims(new URLSearchParams(server.requests[0]!.body).get("assertion"))["aud"]).toBe(token_uri);
  environment.useCredentials(serviceAccountKey({ token_uri: "nowhere" }));
  expect(await failureOf()).toMatchObject({
    kind: "rejected",
    message: expect.stringContaining("token_uri"),
  });
});

test("reads the key anew each time, so that a rotated one is picked up", async () => {
  using environment = new CredentialEnvironment();
  await using google = await playGoogle(environment, (_, reply) => reply.json(200, GOOD));
  for (const client_email of ["old@p.iam.gserviceaccount.com", "new@p.iam.gserviceaccount.com"]) {
    environment.useCredentials(serviceAccountKey({ client_email }));
    await fetchGoogleToken(OPTIONS);
  }
  expect(
    google.server.requests.map(({ body }) => claims(new URLSearchParams(body).get("assertion"))["iss"]),
  ).toEqual(["old@p.iam.gserviceaccount.com", "new@p.iam.gserviceaccount.com"]);
});

test("exchanges a workload's token at the token service", async () => {
  using environment = new CredentialEnvironment();
  await using sts = await FaultServer.start((_, reply) => reply.json(200, GOOD));
  environment.useCredentials(externalAccount(sts, environment.file("jwt", "workload-jwt")));
  expect(await fetchGoogleToken(OPTIONS)).toMatchObject({ authorization: "Bearer ya29.token" });
  const body = new URLSearchParams(sts.requests[0]!.body);
  expect([body.get("subject_token"), body.get("scope")]).toEqual(["workload-jwt", HEALTHCARE]);
});

test("impersonates a service account after the exchange", async () => {
  using environment = new CredentialEnvironment();
  await using sts = await FaultServer.start((request, reply) =>
    request.path.endsWith(":generateAccessToken")
      ? reply.json(200, {
          accessToken: "ya29.impersonated",
          expireTime: new Date(Date.now() + 3_600_000).toISOString(),
        })
      : reply.json(200, GOOD),
  );
  environment.useCredentials(
    externalAccount(sts, environment.file("jwt", "workload-jwt"), {
      service_account_impersonation_url: `${sts.origin}/v1/projects/-/serviceAccounts/a@p.iam.gserviceaccount.com:generateAccessToken`,
    }),
  );
  const token = await fetchGoogleToken(OPTIONS);
  expect(token.authorization).toBe("Bearer ya29.impersonated");
  expect(token.lifetimeMs).toBeGreaterThan(3_590_000);
  expect(JSON.parse(sts.requests[1]!.body)).toMatchObject({ scope: [HEALTHCARE] });
});

test("impersonates a service account from a user's login", async () => {
  using environment = new CredentialEnvironment();
  await using google = await playGoogle(environment, (request, reply) =>
    request.path.endsWith(":generateAccessToken")
      ? reply.json(200, {
          accessToken: "ya29.impersonated",
          expireTime: new Date(Date.now() + 3_600_000).toISOString(),
        })
      : reply.json(200, GOOD),
  );
  environment.useCredentials({
    type: "impersonated_service_account",
    service_account_impersonation_url:
      "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/a@p.iam.gserviceaccount.com:generateAccessToken",
    source_credentials: {
      type: "authorized_user",
      client_id: "c",
      client_secret: "canary-secret",
      refresh_token: "r",
    },
  });
  expect(await fetchGoogleToken(OPTIONS)).toMatchObject({ authorization: "Bearer ya29.impersonated" });
  expect(new Set(google.proxy.seen)).toEqual(
    new Set(["CONNECT oauth2.googleapis.com:443", "CONNECT iamcredentials.googleapis.com:443"]),
  );
});

test("names the quota project: configured, else of the environment, else of the credentials", async () => {
  using environment = new CredentialEnvironment();
  await using sts = await FaultServer.start((_, reply) => reply.json(200, GOOD));
  const account = externalAccount(sts, environment.file("jwt", "j"), { quota_project_id: "of-credentials" });
  environment.useCredentials(account);
  expect((await fetchGoogleToken(OPTIONS)).quotaProject).toBe("of-credentials");
  environment.set("GOOGLE_CLOUD_QUOTA_PROJECT", "of-environment");
  expect((await fetchGoogleToken(OPTIONS)).quotaProject).toBe("of-environment");
  expect((await fetchGoogleToken({ ...OPTIONS, quotaProject: "configured" })).quotaProject).toBe(
    "configured",
  );
});

test("refuses credentials of another universe before it asks for a token", async () => {
  using environment = new CredentialEnvironment();
  await using sts = await FaultServer.start((_, reply) => reply.json(200, GOOD));
  environment.useCredentials(
    externalAccount(sts, environment.file("jwt", "j"), { universe_domain: "other.example" }),
  );
  const failure = await failureOf();
  expect(failure).toMatchObject({ kind: "rejected", message: expect.stringContaining("other.example") });
  expect(sts.connections).toBe(0);
  expect(await fetchGoogleToken({ ...OPTIONS, universeDomain: "other.example" })).toHaveProperty(
    "authorization",
  );
});

test.each([
  ["an empty object", {}],
  ["a token of undefined", { ...GOOD, access_token: "undefined" }],
  ["a token with a line end", { ...GOOD, access_token: "a\r\nx-evil: 1" }],
  ["an empty token", { ...GOOD, access_token: "" }],
  ["an object for a token", { ...GOOD, access_token: {} }],
])("does not take 200 with %s for a token", async (_, answer) => {
  using environment = new CredentialEnvironment();
  await using sts = await FaultServer.start((_request, reply) => reply.json(200, answer));
  environment.useCredentials(externalAccount(sts, environment.file("jwt", "j")));
  const failure = await failureOf();
  expect(failure).toMatchObject({ kind: "unavailable", message: expect.not.stringContaining("evil") });
  expect(failure.cause).toBeUndefined();
});

test.each([
  [400, "rejected"],
  [401, "rejected"],
  [403, "rejected"],
  [408, "unavailable"],
  [429, "unavailable"],
  [500, "unavailable"],
  [503, "unavailable"],
] as const)("asks once and no more when the token service answers %i", async (status, kind) => {
  using environment = new CredentialEnvironment();
  await using sts = await FaultServer.start((_, reply) =>
    reply.json(status, { error: "invalid_grant", error_description: "canary-description" }),
  );
  environment.useCredentials(externalAccount(sts, environment.file("jwt", "j")));
  const failure = await failureOf();
  expect(failure).toMatchObject({ kind, message: `the token service answered HTTP ${status}` });
  expect(sts.requests.length).toBe(1);
});

test("does not follow a token service that redirects", async () => {
  using environment = new CredentialEnvironment();
  await using elsewhere = await FaultServer.start((_, reply) => reply.json(200, GOOD));
  await using sts = await FaultServer.start((_, reply) =>
    reply.send(307, "", { location: `${elsewhere.origin}/v1/token` }),
  );
  environment.useCredentials(externalAccount(sts, environment.file("jwt", "j")));
  expect(await failureOf()).toMatchObject({ kind: "unavailable" });
  expect(elsewhere.connections).toBe(0);
});

test("counts a token service that cannot be reached as unavailable", async () => {
  using environment = new CredentialEnvironment();
  const sts = await FaultServer.start(() => {});
  environment.useCredentials(externalAccount(sts, environment.file("jwt", "j")));
  await sts.close();
  expect(await failureOf()).toMatchObject({ kind: "unavailable" });
});

test("gives up on a token exchange that hangs, and closes its connection", async () => {
  using environment = new CredentialEnvironment();
  await using sts = await FaultServer.start((_, reply) => reply.ignore());
  environment.useCredentials(externalAccount(sts, environment.file("jwt", "j")));
  const took = await fastest(1_000, async () => {
    expect(await failureOf({ ...OPTIONS, requestTimeoutMs: 200 })).toMatchObject({ kind: "unavailable" });
    return undefined;
  });
  expect(took).toBeLessThan(1_000);
  while (sts.open > 0) await new Promise((resolve) => setTimeout(resolve, 10));
});

test("does not read a token answer of megabytes to its end", async () => {
  using environment = new CredentialEnvironment();
  let sent = 0;
  await using sts = await FaultServer.start((_, reply) => {
    reply.raw("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n");
    const chunk = `10000\r\n${" ".repeat(0x10000)}\r\n`;
    const pump = () => {
      if (reply.socket.destroyed) return;
      sent += chunk.length;
      reply.socket.write(chunk, pump);
    };
    pump();
  });
  environment.useCredentials(externalAccount(sts, environment.file("jwt", "j")));
  expect(await failureOf()).toMatchObject({ kind: "unavailable" });
  // What is not read fills the buffers of the sockets, and no more is sent.
  expect(sent).toBeLessThan(64 << 20);
});

test("says what is wrong with credentials that cannot be loaded, and quotes nothing of them", async () => {
  using environment = new CredentialEnvironment();
  expect((await failureOf()).message).toContain("default credentials");
  environment.set("GOOGLE_APPLICATION_CREDENTIALS", "/no/such/file.json");
  expect((await failureOf()).message).toContain("/no/such/file.json");
  environment.useCredentials('{"type": "service_account", "private_key": "canary-secret", }');
  const notJson = await failureOf();
  expect(notJson.message).toContain("not JSON");
  expect(notJson.message).not.toContain("canary");
  environment.useCredentials({ ...serviceAccountKey(), private_key: "canary-secret" });
  const notKey = await failureOf();
  expect(notKey.message).not.toContain("canary");
  expect(notKey.kind).toBe("rejected");
});
