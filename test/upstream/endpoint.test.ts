import { expect, test } from "vitest";
import { type EndpointOptions, resolveEndpoint } from "../../src/upstream/endpoint.ts";

const PUBLIC: EndpointOptions = {
  endpoint: "https://healthcare.googleapis.com",
  credentials: "adc",
  universeDomain: "googleapis.com",
  mtlsEndpoint: "auto",
  hasClientCertificate: false,
};

test.each([
  ["https://healthcare.googleapis.com", "https://healthcare.googleapis.com"],
  ["https://healthcare.googleapis.com/", "https://healthcare.googleapis.com"],
  ["https://Healthcare.GoogleAPIs.com:443", "https://healthcare.googleapis.com"],
  ["https://healthcare-myep.p.googleapis.com", "https://healthcare-myep.p.googleapis.com"],
  ["https://proxy.example:8443", "https://proxy.example:8443"],
  ["http://127.0.0.1:9000", "http://127.0.0.1:9000"],
  ["http://localhost:9000", "http://localhost:9000"],
  ["http://[::1]:9000", "http://[::1]:9000"],
])("uses %s as it is", (endpoint, origin) => {
  expect(resolveEndpoint({ ...PUBLIC, endpoint })).toEqual({ origin, mtls: false });
});

test.each([
  ["healthcare.googleapis.com", "is not a URL"],
  ["", "is not a URL"],
  ["ftp://healthcare.googleapis.com", "is not an http or https URL"],
  ["https://user:secret@healthcare.googleapis.com", "holds a user name or password"],
  ["https://healthcare.googleapis.com/v1beta1", "holds a path or query"],
  ["https://healthcare.googleapis.com?key=x", "holds a path or query"],
  ["http://healthcare.googleapis.com", "a token would travel readably"],
  ["http://10.0.0.1", "a token would travel readably"],
  ["http://127.0.0.1.evil.example", "a token would travel readably"],
  ["http://metadata.google.internal", "metadata server"],
  ["http://metadata.google.internal.", "metadata server"],
  ["http://169.254.169.254", "metadata server"],
  ["http://2852039166", "metadata server"],
  ["http://[::ffff:169.254.169.254]", "metadata server"],
  ["http://[fd20:ce::254]", "metadata server"],
  ["http://[fe80::1]", "link-local"],
])("refuses the endpoint %s", (endpoint, problem) => {
  const result = resolveEndpoint({ ...PUBLIC, endpoint });
  expect(result).toMatchObject({ key: "endpoint", problem: expect.stringContaining(problem) });
  expect(JSON.stringify(result)).not.toContain("secret");
});

test("allows plain http to anywhere but the metadata server when no token is sent", () => {
  const none = { ...PUBLIC, credentials: "none" } as const;
  expect(resolveEndpoint({ ...none, endpoint: "http://emulator.example:80" })).toEqual({
    origin: "http://emulator.example",
    mtls: false,
  });
  expect(resolveEndpoint({ ...none, endpoint: "http://169.254.169.254" })).toHaveProperty("problem");
});

test("goes to the mTLS host of the API when a client certificate is configured", () => {
  const withCertificate = { ...PUBLIC, hasClientCertificate: true };
  expect(resolveEndpoint(withCertificate)).toEqual({
    origin: "https://healthcare.mtls.googleapis.com",
    mtls: true,
  });
  expect(resolveEndpoint({ ...withCertificate, endpoint: "https://speech.googleapis.com" })).toEqual({
    origin: "https://speech.mtls.googleapis.com",
    mtls: true,
  });
  expect(resolveEndpoint({ ...withCertificate, mtlsEndpoint: "never" })).toEqual({
    origin: "https://healthcare.googleapis.com",
    mtls: false,
  });
});

test("keeps a host of one's own choosing, certificate or not", () => {
  const own = { ...PUBLIC, hasClientCertificate: true, endpoint: "https://proxy.example" };
  expect(resolveEndpoint(own)).toEqual({ origin: "https://proxy.example", mtls: false });
  expect(resolveEndpoint({ ...own, mtlsEndpoint: "always" })).toMatchObject({ key: "mtls_endpoint" });
});

test("goes to the mTLS host without a certificate only when told to", () => {
  expect(resolveEndpoint({ ...PUBLIC, mtlsEndpoint: "always" })).toMatchObject({ mtls: true });
});

test("refuses a public host in another universe", () => {
  const other = { ...PUBLIC, universeDomain: "universe.example" };
  expect(resolveEndpoint(other)).toMatchObject({
    key: "universe_domain",
    problem: expect.stringContaining("universe.example"),
  });
  expect(resolveEndpoint({ ...other, endpoint: "https://healthcare.universe.example" })).toEqual({
    origin: "https://healthcare.universe.example",
    mtls: false,
  });
});
