import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ConfigSources, loadConfig } from "../../src/config/load.ts";
import { formatProblem } from "../../src/config/problem.ts";
import { DEFAULT_CALL_LIMITS } from "../../src/rpc/limits.ts";

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "lro-config-"));
});
afterAll(() => rmSync(directory, { recursive: true }));

function write(name: string, content: string | Uint8Array): string {
  const path = join(directory, name);
  writeFileSync(path, content);
  return path;
}

function load(sources: Partial<ConfigSources>) {
  const result = loadConfig({ file: undefined, env: {}, ...sources });
  if ("problems" in result) throw new Error(result.problems.map(formatProblem).join("\n"));
  return result;
}

/** The complaints, without the test's own directory. */
function complaints(sources: Partial<ConfigSources>): string[] {
  const result = loadConfig({ file: undefined, env: {}, ...sources });
  if (!("problems" in result)) throw new Error("the configuration was accepted");
  return result.problems.map((problem) => formatProblem(problem).replaceAll(`${directory}/`, ""));
}

describe("loadConfig()", () => {
  it("listens on loopback, with the embedded emulator and no credentials, when nothing is configured", () => {
    expect(load({}).config).toMatchObject({
      listen: "127.0.0.1:8080",
      allowUnauthenticated: false,
      upstream: { endpoint: undefined, apiVersion: "v1beta1", credentials: "none", rules: undefined },
      log: { level: "info" },
      cors: { allowedOrigins: [] },
    });
  });

  it("takes Application Default Credentials once there is an endpoint", () => {
    const env = { LRO_GATEWAY_UPSTREAM_ENDPOINT: "https://healthcare.googleapis.com/" };
    expect(load({ env }).config.upstream).toMatchObject({
      endpoint: "https://healthcare.googleapis.com",
      credentials: "adc",
    });
  });

  it("lets the environment win over the file, and flags over both, and says who won", () => {
    const file = write(
      "layers.yaml",
      "listen: 127.0.0.1:1\nlog:\n  level: warn\nupstream:\n  api_version: v1\n",
    );
    const { config, origins } = load({
      file,
      env: { LRO_GATEWAY_LISTEN: "127.0.0.1:2", LRO_GATEWAY_LOG_LEVEL: "error" },
      flags: { listen: "127.0.0.1:3" },
    });
    expect([config.listen, config.log.level, config.upstream.apiVersion]).toEqual([
      "127.0.0.1:3",
      "error",
      "v1",
    ]);
    expect(Object.fromEntries(origins)).toEqual({
      listen: "--listen",
      "log.level": "LRO_GATEWAY_LOG_LEVEL",
      "upstream.api_version": `${file}:5`,
    });
  });

  it("reads lists, durations, numbers and switches from variables", () => {
    const env = {
      LRO_GATEWAY_CORS_ALLOWED_ORIGINS: "https://a.example, http://localhost:3000/",
      LRO_GATEWAY_WAITING_HEARTBEAT: "1.5s",
      LRO_GATEWAY_WAITING_MAX_WAIT: "1h30m",
      LRO_GATEWAY_WAITING_MAX_STREAM_AGE: "90",
      LRO_GATEWAY_WAITING_MAX_WATCHES: "7",
      LRO_GATEWAY_WAITING_READS_PER_SECOND: "2.5",
      LRO_GATEWAY_ALLOW_UNAUTHENTICATED: "true",
      LRO_GATEWAY_LISTEN: "0.0.0.0:0",
    };
    expect(load({ env }).config).toMatchObject({
      listen: "0.0.0.0:0",
      cors: { allowedOrigins: ["https://a.example", "http://localhost:3000"] },
      waiting: {
        heartbeat: 1500,
        maxWait: 5_400_000,
        maxStreamAge: 90_000,
        maxWatches: 7,
        readsPerSecond: 2.5,
      },
    });
  });

  it("counts an empty variable and an empty value as not set", () => {
    const file = write("empty.yaml", "listen:\nupstream:\n  endpoint:\n");
    const { origins } = load({ file, env: { LRO_GATEWAY_UPSTREAM_ENDPOINT: "", LRO_GATEWAY_LISTEN: " " } });
    expect(origins.size).toBe(0);
  });

  it("accepts an empty file, and one with only a comment", () => {
    expect(load({ file: write("none.yaml", "") }).config.listen).toBe("127.0.0.1:8080");
    expect(load({ file: write("comment.yaml", "# nothing yet\n") }).config.listen).toBe("127.0.0.1:8080");
  });

  it("takes a key that is written with its dots", () => {
    const file = write("dots.yaml", "upstream.api_version: v1\n");
    expect(load({ file }).config.upstream.apiVersion).toBe("v1");
  });

  it("finds the rules file beside the configuration file that names it", () => {
    const rules = write("rules.yaml", "http: {rules: []}");
    const file = write("with-rules.yaml", "upstream: {rules: rules.yaml}");
    expect(load({ file }).config.upstream.rules).toBe(rules);
  });

  it("finds certificate and key beside the configuration file that names them", () => {
    const certificate = write("server.crt", "-");
    const key = write("server.key", "-");
    const file = write("with-tls.yaml", "tls: {certificate: server.crt, key: server.key}");
    expect(load({ file }).config.tls).toEqual({ certificate, key, required: false });
  });

  it("answers reflection and compresses from the path's own size on, unless told otherwise", () => {
    expect(load({}).config).toMatchObject({
      reflection: true,
      compressMinBytes: DEFAULT_CALL_LIMITS.compressMinBytes,
    });
    const env = { LRO_GATEWAY_REFLECTION: "false", LRO_GATEWAY_COMPRESS_MIN_BYTES: "0" };
    expect(load({ env }).config).toMatchObject({ reflection: false, compressMinBytes: 0 });
  });

  it("listens on a local socket, which no other machine can reach", () => {
    expect(load({ flags: { listen: "unix:/run/lro.sock" } }).config.listen).toBe("unix:/run/lro.sock");
  });

  it("takes what Google's own tools are told, unless ours are told otherwise", () => {
    const env = { GOOGLE_CLOUD_UNIVERSE_DOMAIN: "apis.example", GOOGLE_API_USE_MTLS_ENDPOINT: "never" };
    expect(load({ env }).config.upstream).toMatchObject({
      universeDomain: "apis.example",
      mtlsEndpoint: "never",
    });
    const file = write("ambient.yaml", "upstream: {universe_domain: googleapis.com}");
    expect(load({ file, env }).config.upstream.universeDomain).toBe("googleapis.com");
    expect(complaints({ env: { GOOGLE_API_USE_MTLS_ENDPOINT: "alway" } })).toEqual([
      'GOOGLE_API_USE_MTLS_ENDPOINT: upstream.mtls_endpoint: "alway" is not one of auto, always, never; did you mean always?',
    ]);
  });

  it("takes the proxies of the environment, in lower case before upper case", () => {
    const proxy = (env: Record<string, string>) => load({ env }).config.upstream.proxy;
    expect(proxy({})).toBeUndefined();
    expect(proxy({ no_proxy: "localhost" })).toBeUndefined();
    expect(proxy({ HTTPS_PROXY: "http://upper:1", https_proxy: "http://lower:1", NO_PROXY: "a,b" })).toEqual({
      httpsProxy: "http://lower:1",
      httpProxy: undefined,
      noProxy: "a,b",
    });
    expect(proxy({ HTTPS_PROXY: "http://upper:1", https_proxy: "" })).toBeUndefined();
  });

  it("freezes the configuration to the last list", () => {
    const { config } = load({ env: { LRO_GATEWAY_CORS_ALLOWED_ORIGINS: "https://a.example" } });
    expect(Object.isFrozen(config) && Object.isFrozen(config.cors.allowedOrigins)).toBe(true);
  });

  it("leaves alone what Kubernetes sets for a service of our name, and an empty variable", () => {
    const env = {
      LRO_GATEWAY_SERVICE_HOST: "10.0.0.1",
      LRO_GATEWAY_SERVICE_PORT_GRPC: "8080",
      LRO_GATEWAY_PORT: "tcp://10.0.0.1:8080",
      LRO_GATEWAY_PORT_8080_TCP: "tcp://10.0.0.1:8080",
      LRO_GATEWAY_PORT_8080_TCP_PROTO: "tcp",
      LRO_GATEWAY_PORT_8080_TCP_ADDR: "10.0.0.1",
      LRO_GATEWAY_CANARY_PORT: "udp://10.0.0.1:8080",
      LRO_GATEWAY_UPSTREAM_SERVICE_HOST: "10.0.0.2",
      LRO_GATEWAY_NOTHING: "",
      LRO_GATEWAY_CA: "ca.pem",
      LRO_GATEWAY_CONFIG: "elsewhere.yaml",
    };
    expect(load({ env }).origins.size).toBe(0);
  });
});

describe("loadConfig() with mistakes", () => {
  it("names file, line, key and what is allowed, for all mistakes at once", () => {
    const file = write(
      "mistakes.yaml",
      `listen: 8080
allow_unauthenticatd: yes
upstream:
  endpont: https://x
  endpoint: "https://user:secret-password@h/v1"
  credentials: adcc
  rules: nowhere.yaml
waiting: 3
cors:
  allowed_origins: ["*", 3, "https://ok.example"]
heartbeat: 3
log: { level: [] }
`,
    );
    const env = { LRO_GATEWAY_LOG_LEVEL: "trace", LRO_GATEWAY_LISTN: "x" };
    const flags = { "waiting.heartbeat": "1d", "upstream.endpoint": "ftp://x" };
    expect(complaints({ file, env, flags })).toMatchInlineSnapshot(`
      [
        "mistakes.yaml:1: listen: 8080 is not host:port, for example 127.0.0.1:8080 or [::1]:8080, or unix:/path",
        "mistakes.yaml:2: there is no key "allow_unauthenticatd" (did you mean allow_unauthenticated?); allowed: listen, allow_unauthenticated, max_connection_age, workers, http1, http2, reflection, compress_min_bytes, tls, upstream, waiting, drain, cors, log, metrics",
        "mistakes.yaml:4: upstream has no key "endpont" (did you mean endpoint?); allowed: endpoint, api_version, credentials, rules, scope, quota_project, universe_domain, mtls_endpoint, client_certificate, client_key, ca, http1, connections, connect_timeout, headers_timeout, body_timeout, request_timeout, max_response_bytes",
        "mistakes.yaml:5: upstream.endpoint: "https://…@h/v1" holds a user name or password, which would end up in logs; write it like https://healthcare.googleapis.com",
        "mistakes.yaml:6: upstream.credentials: "adcc" is not one of adc, caller, none; did you mean adc?",
        "mistakes.yaml:7: upstream.rules: cannot read nowhere.yaml: there is no such file",
        "mistakes.yaml:8: waiting: 3 is not a section; allowed in it: max_wait, heartbeat, max_stream_age, reauthorize_interval, reads_per_second, list_threshold, max_watches, max_watches_per_caller, max_operations, max_collection_operations",
        "mistakes.yaml:10: cors.allowed_origins: "*" is refused: list each origin, for example https://console.example.com",
        "mistakes.yaml:10: cors.allowed_origins: 3 is not a list of origins, for example [https://console.example.com]",
        "mistakes.yaml:11: there is no key "heartbeat" (did you mean waiting.heartbeat?); allowed: listen, allow_unauthenticated, max_connection_age, workers, http1, http2, reflection, compress_min_bytes, tls, upstream, waiting, drain, cors, log, metrics",
        "mistakes.yaml:12: log.level: a list is not one of debug, info, warn, error, silent",
        "LRO_GATEWAY_LISTN: there is no such variable; did you mean LRO_GATEWAY_LISTEN?",
        "LRO_GATEWAY_LOG_LEVEL: log.level: "trace" is not one of debug, info, warn, error, silent",
        "--waiting-heartbeat: waiting.heartbeat: "1d" is not a duration from 100ms to 1h, for example 250ms, 10s, 30m or 1h30m",
        "--upstream-endpoint: upstream.endpoint: "ftp://x" is not an http or https URL; write it like https://healthcare.googleapis.com",
      ]
    `);
  });

  it("says once what breaks two rules", () => {
    expect(complaints({ env: { LRO_GATEWAY_WAITING_MAX_WATCHES: "99999999999999999999" } })).toEqual([
      "LRO_GATEWAY_WAITING_MAX_WATCHES: waiting.max_watches: 100000000000000000000 is not a whole number from 1 to 10000000",
    ]);
  });

  it.each([
    ["listen: 127.0.0.1:1\nlisten: 127.0.0.1:2\n", "keys.yaml:2: this is not YAML: Map keys must be unique"],
    ["listen: a:1\n---\nlisten: b:2\n", "keys.yaml:2: a second document begins here; write one only"],
    ["upstream:\n\tendpoint: a\n", "keys.yaml:2: this is not YAML: Tabs are not allowed as indentation"],
    [
      "- listen\n",
      "keys.yaml: a list is not a section; allowed in it: listen, allow_unauthenticated, max_connection_age,",
    ],
    ["log: &a\n  level: *a\n", "keys.yaml:2: log.level: is an alias (*name); write the value itself"],
    ["__proto__: 1\n", 'keys.yaml:1: there is no key "__proto__"; allowed: listen,'],
    ["? [a]\n: 1\n", 'keys.yaml:1: there is no key "a list"; allowed: listen,'],
    [
      "upstream.api_version: v1\nupstream: {api_version: v1}\n",
      "keys.yaml:2: upstream.api_version: is set twice",
    ],
    ["upstream.endpont: x\n", 'keys.yaml:1: there is no key "upstream.endpont"'],
  ])("refuses %j", (text, expected) => {
    expect(complaints({ file: write("keys.yaml", text) })[0]).toContain(expected);
  });

  it.each([
    ["listen", "localhost", '"localhost" is not host:port'],
    ["listen", ":8080", '":8080" is not host:port'],
    ["listen", "127.0.0.1:65536", '"127.0.0.1:65536" is not host:port'],
    ["listen", "127.0.0.1:http", "is not host:port"],
    ["listen", "http://127.0.0.1:8080", "is not host:port"],
    ["upstream.endpoint", "healthcare.googleapis.com", "is not an http or https URL"],
    ["upstream.endpoint", "localhost:8080", "is not an http or https URL"],
    ["upstream.endpoint", "https:/x", "is not an http or https URL"],
    ["upstream.endpoint", "https://[", "is not an http or https URL"],
    ["upstream.endpoint", "https://h:99999", "is not an http or https URL"],
    [
      "upstream.endpoint",
      "https://healthcare.googleapis.com/v1beta1",
      "has more than scheme, host and port; write https://healthcare.googleapis.com",
    ],
    ["upstream.endpoint", "https://h?key=1", "has more than scheme, host and port; write https://h"],
    ["upstream.api_version", "1", "is not a version, for example v1 or v1beta1"],
    ["upstream.api_version", "v1/../v2", "is not a version"],
    ["upstream.credentials", "cller", "is not one of adc, caller, none; did you mean caller?"],
    ["allow_unauthenticated", "yes", '"yes" is not true or false'],
    ["reflection", "off", '"off" is not true or false'],
    ["compress_min_bytes", "-1", "-1 is not a whole number from 0 to 1073741824"],
    ["compress_min_bytes", "8k", '"8k" is not a whole number'],
    ["tls.certificate", "nowhere.pem", "nowhere.pem: there is no such file"],
    ["waiting.max_watches", "0", "0 is not a whole number from 1 to 10000000"],
    ["waiting.max_watches", "1.5", "1.5 is not a whole number"],
    ["waiting.max_watches", "1e3", '"1e3" is not a whole number'],
    ["waiting.reads_per_second", "0", "0 is not a number above 0"],
    ["waiting.heartbeat", "50ms", '"50ms" is not a duration from 100ms to 1h'],
    ["waiting.heartbeat", "10 s", '"10 s" is not a duration'],
    ["cors.allowed_origins", "https://a.example/x", "has more than scheme, host and port"],
    ["cors.allowed_origins", "null", '"null" is not an http or https URL'],
  ])("refuses %s %j from a flag and from a variable", (path, text, expected) => {
    const name = path.replaceAll(".", "_");
    const variable = `LRO_GATEWAY_${name.toUpperCase()}`;
    expect(complaints({ flags: { [path]: text } })[0]).toMatch(`--${name.replaceAll("_", "-")}: ${path}: `);
    const [line] = complaints({ env: { [variable]: text } });
    expect(line).toContain(`${variable}: ${path}: `);
    expect(line).toContain(expected);
  });

  it("never repeats a long text or a password: it may be a token in the wrong place", () => {
    const token = `ya29.${"a".repeat(200)}`;
    const [line] = complaints({ env: { LRO_GATEWAY_UPSTREAM_CREDENTIALS: token } });
    expect(line).toBe(
      "LRO_GATEWAY_UPSTREAM_CREDENTIALS: upstream.credentials: a text of 205 characters is not one of adc, caller, none",
    );
    const [url] = complaints({ env: { LRO_GATEWAY_UPSTREAM_ENDPOINT: "https://u:hunter2@h" } });
    expect(url).not.toContain("hunter2");
  });

  it("refuses an address that others can reach until that is allowed", () => {
    for (const listen of [
      "0.0.0.0:80",
      "[::]:80",
      "10.1.2.3:80",
      "gateway.example:80",
      "[::ffff:10.0.0.1]:80",
    ])
      expect(complaints({ flags: { listen } })).toEqual([
        `--listen: listen: other machines can reach ${listen}, and callers are not authenticated; listen on 127.0.0.1, or set allow_unauthenticated: true if something in front authenticates callers`,
      ]);
    for (const listen of [
      "127.9.9.9:80",
      "[::1]:80",
      "localhost:80",
      "[0:0:0:0:0:0:0:1]:0",
      "[::ffff:127.0.0.1]:1",
    ])
      expect(load({ flags: { listen } }).config.listen).toBe(listen);
    const flags = { listen: "0.0.0.0:80", allow_unauthenticated: "true" };
    expect(load({ flags }).config.listen).toBe("0.0.0.0:80");
  });

  it("refuses half of a certificate and its key, and required TLS without them", () => {
    const pem = write("half.pem", "-");
    expect(complaints({ flags: { "tls.certificate": pem } })).toEqual([
      "--tls-certificate: tls.certificate: tls.key is missing: a certificate and its key are used together",
    ]);
    expect(complaints({ flags: { "tls.key": pem } })).toEqual([
      "--tls-key: tls.key: tls.certificate is missing: a certificate and its key are used together",
    ]);
    expect(complaints({ env: { LRO_GATEWAY_TLS_REQUIRED: "true" } })).toEqual([
      "LRO_GATEWAY_TLS_REQUIRED: tls.required: needs tls.certificate and tls.key: nothing would be served",
    ]);
  });

  it("refuses a version that no rule knows, and takes it with rules of one's own", () => {
    expect(complaints({ flags: { "upstream.api_version": "v2" } })).toEqual([
      '--upstream-api-version: upstream.api_version: "v2" is not a version of Cloud Healthcare: use v1beta1 or v1, or give the bindings of another API in upstream.rules',
    ]);
    const rules = write("v2.yaml", "http: {rules: []}");
    load({ flags: { "upstream.api_version": "v2", "upstream.rules": rules } });
  });

  it("says why a file cannot be read", () => {
    expect(complaints({ file: join(directory, "missing.yaml") })).toEqual([
      "missing.yaml: cannot read the configuration file: there is no such file",
    ]);
    expect(complaints({ file: directory })[0]).toContain("it is a directory");
    expect(complaints({ file: write("latin1.yaml", Buffer.from([0x61, 0xe9, 0x0a])) })[0]).toContain(
      "it is not UTF-8 text",
    );
    expect(complaints({ file: write("big.yaml", "#".repeat(1024 * 1024 + 1)) })[0]).toContain(
      "it has more than 1048576 bytes, which no such file needs",
    );
  });

  it("reads a pipe to its end, and nothing that has none", () => {
    expect(complaints({ file: "/dev/zero" })).toEqual([
      "/dev/zero: cannot read the configuration file: it has more than 1048576 bytes, which no such file needs",
    ]);
    load({ file: "/dev/null" });
    for (const path of ["tls.certificate", "tls.key", "upstream.rules", "upstream.ca"])
      expect(complaints({ flags: { [path]: "/dev/zero" } })[0]).toContain(
        "cannot read /dev/zero: it is not a regular file, and has to be one since it is read more than once",
      );
  });

  it("refuses Google credentials for the embedded emulator", () => {
    expect(complaints({ flags: { "upstream.credentials": "adc" } })).toEqual([
      "--upstream-credentials: upstream.credentials: adc needs upstream.endpoint: the embedded emulator is no place for Google credentials; name the API, for example https://healthcare.googleapis.com, or leave upstream.credentials out",
    ]);
  });

  it.each([
    ["TLS_CERT", "x", "did you mean LRO_GATEWAY_TLS_CERTIFICATE?"],
    ["PORT", "9000", "did you mean LRO_GATEWAY_LISTEN?"],
    ["HOST", "0.0.0.0", "did you mean LRO_GATEWAY_LISTEN?"],
    ["UPSTREAM_URL", "x", "allowed: LRO_GATEWAY_UPSTREAM_ENDPOINT, "],
    ["BINARY_DIRECTORY", "/opt", "names that begin with LRO_GATEWAY_ are the gateway's own"],
  ])("refuses LRO_GATEWAY_%s=%s and says what is meant", (name, value, expected) => {
    const [line, ...others] = complaints({ env: { [`LRO_GATEWAY_${name}`]: value } });
    expect(others).toEqual([]);
    expect(line).toContain(`LRO_GATEWAY_${name}: there is no such variable`);
    expect(line).toContain(expected);
  });

  it("suggests the variable that was meant, and lists those of a section", () => {
    expect(complaints({ env: { LRO_GATEWAY_LISTN: "x" } })).toEqual([
      "LRO_GATEWAY_LISTN: there is no such variable; did you mean LRO_GATEWAY_LISTEN?",
    ]);
    expect(complaints({ env: { LRO_GATEWAY_UPSTREAM_SOMETHING: "x" } })[0]).toContain(
      "there is no such variable; allowed: LRO_GATEWAY_UPSTREAM_ENDPOINT, ",
    );
  });
});
