import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Operations } from "../../gen/google/longrunning/operations_pb.ts";
import { ServerReflection } from "../../gen/grpc/reflection/v1/reflection_pb.ts";
import { type Installation, installBuild, installSources } from "../support/built.ts";
import { runCli, startServe } from "../support/cli-process.ts";
import { FaultServer } from "../support/fault-server.ts";

const DEMO = "projects/demo/locations/us-central1/datasets/demo";

let directory: string;
let build: Installation;
let sources: Installation;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "lro-build-"));
  build = installBuild();
  sources = installSources();
});
afterAll(() => {
  rmSync(directory, { recursive: true });
  build[Symbol.dispose]();
  sources[Symbol.dispose]();
});

/** What the gateway must do with what it loads late: emulator, reflection, metrics, the client, credentials. */
describe("each of them alone, dist/ without node_modules and the sources without a build,", () => {
  it.each([
    ["dist/", () => build],
    ["the sources", () => sources],
  ])(
    "%s: serves calls, reflection and metrics on the embedded emulator, and the client reads them",
    async (_, installed) => {
      const { launcher } = installed();
      const gateway = await startServe([], { launcher, cwd: directory });
      const transport = createGrpcTransport({ baseUrl: `http://${gateway.address}` });
      const { operations } = await createClient(Operations, transport).listOperations({ name: DEMO });
      expect(operations.length).toBeGreaterThan(0);

      async function* ask() {
        yield { messageRequest: { case: "listServices", value: "" } } as const;
      }
      const names: string[] = [];
      for await (const { messageResponse } of createClient(ServerReflection, transport).serverReflectionInfo(
        ask(),
      ))
        if (messageResponse.case === "listServicesResponse")
          names.push(...messageResponse.value.service.map(({ name }) => name));
      expect(names).toContain("google.longrunning.Operations");

      const metrics = await (await fetch(`http://${gateway.address}/metrics`)).text();
      expect(metrics).toMatch(/^rpc_server_call_duration_seconds_count\{.*ListOperations.*\} 1$/m);

      const listed = await runCli(["list", DEMO, "--address", gateway.address], { launcher, cwd: directory });
      expect([listed.code, listed.stdout]).toEqual([0, expect.stringContaining(`${DEMO}/operations/`)]);
      gateway.child.kill("SIGTERM");
      expect(await gateway.ended).toMatchObject({ code: 0, signal: null });
    },
  );

  it.each(["metadata server", "service account key"])(
    "dist/: calls with a token of the %s (upstream.credentials: adc)",
    async (kind) => {
      await using tokens = await FaultServer.start((_, reply) =>
        reply.json(200, { access_token: "ya29.t", expires_in: 3599, token_type: "Bearer" }, GOOGLE),
      );
      await using upstream = await FaultServer.start((_, reply) =>
        reply.json(200, { name: `${DEMO}/operations/1` }),
      );
      const gateway = await startServe(["--upstream-endpoint", upstream.origin], {
        launcher: build.launcher,
        cwd: directory,
        env: kind === "metadata server" ? metadataServer(tokens) : serviceAccount(tokens),
      });
      const client = createClient(Operations, createGrpcTransport({ baseUrl: `http://${gateway.address}` }));
      await client.getOperation({ name: `${DEMO}/operations/1` }, { timeoutMs: 10_000 });
      expect(upstream.requests.map(({ headers }) => headers["authorization"])).toEqual(["Bearer ya29.t"]);
      gateway.child.kill("SIGTERM");
      expect(await gateway.ended).toMatchObject({ code: 0, signal: null });
    },
  );
});

const GOOGLE = { "metadata-flavor": "Google" };

function metadataServer({ port }: FaultServer): Record<string, string> {
  return {
    GCE_METADATA_HOST: `127.0.0.1:${port}`,
    METADATA_SERVER_DETECTION: "assume-present",
    HOME: directory,
  };
}

function serviceAccount({ origin }: FaultServer): Record<string, string> {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const file = join(directory, "key.json");
  const key = {
    type: "service_account",
    project_id: "p",
    private_key_id: "k",
    private_key: privateKey.export({ type: "pkcs8", format: "pem" }),
    client_email: "gateway@p.iam.gserviceaccount.com",
    token_uri: `${origin}/token`,
  };
  writeFileSync(file, JSON.stringify(key));
  return { GOOGLE_APPLICATION_CREDENTIALS: file };
}

describe("a start", () => {
  it("loads nothing that no call has asked for, so that the first answer comes soon", async () => {
    const list = join(directory, "loaded.txt");
    const spy = join(directory, "spy.mjs");
    writeFileSync(
      spy,
      `import { appendFileSync } from "node:fs";
       import { registerHooks } from "node:module";
       registerHooks({ load(url, context, next) { appendFileSync(${JSON.stringify(list)}, url + "\\n"); return next(url, context); } });`,
    );
    const loaded = async ({ launcher }: Installation): Promise<string[]> => {
      writeFileSync(list, "");
      const gateway = await startServe(["--upstream-endpoint", "http://127.0.0.1:9", ...NO_CREDENTIALS], {
        launcher,
        nodeArgs: ["--import", spy],
      });
      const client = createClient(Operations, createGrpcTransport({ baseUrl: `http://${gateway.address}` }));
      await expect(
        client.getOperation({ name: `${DEMO}/operations/1` }, { timeoutMs: 900 }),
      ).rejects.toThrow();
      gateway.child.kill("SIGTERM");
      await gateway.ended;
      return readFileSync(list, "utf8").split("\n");
    };
    const LATE = /undici|google-auth-library|connect-node|cli-table3|cli-progress|prom-client/;
    const fromSources = await loaded(sources);
    expect(fromSources.filter((url) => url.includes("pino")).length).toBeGreaterThan(0);
    expect(fromSources.filter((url) => LATE.test(url))).toEqual([]);

    const fromBuild = (await loaded(build)).map((url) => /dist\/(\S+?)-[\w-]{8}\.cjs$/.exec(url)?.[1]);
    expect(fromBuild).toContain("serve");
    const late = readdirSync(join(build.launcher, "../../dist")).map(
      (file) => /^(\S+?)-[\w-]{8}\.cjs$/.exec(file)?.[1],
    );
    // The handlers are those of rpc/connect-es.
    for (const name of [
      "undici",
      "google-credentials",
      "handlers",
      "table",
      "prom-client",
      "start-emulator",
    ]) {
      expect(late).toContain(name);
      expect(fromBuild).not.toContain(name);
    }
  });
});

it("a start makes Node.js load nothing of its fetch", async () => {
  const list = join(directory, "builtin.txt");
  const spy = join(directory, "builtin.cjs");
  writeFileSync(
    spy,
    `process.on("exit", () => require("node:fs").writeFileSync(${JSON.stringify(list)}, process.moduleLoadList.join("\\n")));`,
  );
  const gateway = await startServe(["--upstream-endpoint", "http://127.0.0.1:9", ...NO_CREDENTIALS], {
    launcher: build.launcher,
    nodeArgs: ["--require", spy],
  });
  gateway.child.kill("SIGTERM");
  await gateway.ended;
  const builtin = readFileSync(list, "utf8").split("\n");
  expect(builtin).toContain("NativeModule http");
  expect(builtin.filter((name) => /undici|fetch/.test(name))).toEqual([]);
});

const NO_CREDENTIALS = ["--upstream-credentials", "none"];
