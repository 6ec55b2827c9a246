import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Code, ConnectError } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readClientSettings } from "../../src/cli/gateway-client.ts";
import type { CommandIo } from "../../src/cli/io.ts";
import { explainRpcFailure } from "../../src/cli/rpc-failure.ts";
import { type GatewayOnEmulator, startGatewayOnEmulator } from "../support/gateway-on-emulator.ts";
import { runInside } from "../support/run-program.ts";

const DATASET = "projects/p/locations/l/datasets/d";

let directory: string;
let world: GatewayOnEmulator;
const FAILED = `${DATASET}/operations/failed`;
const DONE = `${DATASET}/operations/done`;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "lro-client-"));
  world = await startGatewayOnEmulator();
  const { emulator } = world.emulator;
  const base = { dataset: DATASET, kind: "fhirStores.import", ageMs: 60_000 };
  emulator.createOperation({ ...base, id: "running", durationMs: null });
  emulator.createOperation({ ...base, id: "done", durationMs: 1000, ageMs: 50_000 });
  const outcome = { type: "error", code: 8, message: "Quota exceeded." } as const;
  emulator.createOperation({ ...base, id: "failed", durationMs: 1000, ageMs: 40_000, outcome });
});
afterAll(async () => {
  await world.close();
  rmSync(directory, { recursive: true });
});

/** Runs a client command on the test's gateway. */
function client(...args: string[]) {
  return runInside([...args, "--address", world.gateway.address]);
}

describe.each(["grpc", "grpc-web", "connect"])("the operator's client over %s", (protocol) => {
  it("lists operations in a table whose names can be pasted", async () => {
    const { code, stdout, stderr } = await client("list", DATASET, "--protocol", protocol);
    expect([code, stderr]).toEqual([0, ""]);
    const rows = stdout.trimEnd().split("\n");
    expect(rows[0]).toMatch(/^NAME +STATE +PROGRESS +CREATED +METHOD$/);
    const states = Object.fromEntries(rows.slice(1).map((row) => row.split(/ {2,}/).slice(0, 2)));
    expect(states).toMatchObject({ [FAILED]: "FAILED", [DONE]: "SUCCEEDED" });
    const pasted = await client("get", rows[1]?.split(" ")[0] ?? "", "--protocol", protocol);
    expect(pasted.code).toBe(0);
  });

  it("shows an operation that failed, and exits 0 since the call did not", async () => {
    const { code, stdout } = await client("get", FAILED, "--protocol", protocol);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^STATE +FAILED$/m);
    expect(stdout).toMatch(/^ERROR +RESOURCE_EXHAUSTED: Quota exceeded\.$/m);
    expect(stdout).toMatch(/^METHOD +FhirStoreService\.ImportResources$/m);
  });

  it("shows what the gateway says of a name with a typo", async () => {
    const { code, stdout, stderr } = await client(
      "get",
      DONE.replace("projects", "projcts"),
      "--protocol",
      protocol,
    );
    expect([code, stdout]).toEqual([1, ""]);
    expect(
      stderr.replace(/(?<=request id: )[0-9a-f-]{36}$/m, "ID"),
    ).toBe(`lro-gateway: INVALID_ARGUMENT: name "${DONE.replace("projects", "projcts")}" has "projcts" where "projects" belongs (segment 1); expected projects/*/locations/*/datasets/*/operations/*
  field name: name has "projcts" where "projects" belongs (segment 1); expected projects/*/locations/*/datasets/*/operations/*
  reason: NAME_INVALID (lro-gateway)
  failed in: gateway
  request id: ID
`);
  });
});

describe("list", () => {
  it("prints a ListOperationsResponse as JSON, page after page", async () => {
    for (let n = 0; n < 150; n++)
      world.emulator.emulator.createOperation({
        dataset: `${DATASET}-many`,
        id: `n${n}`,
        kind: "fhirStores.export",
      });
    const all = await client("list", `${DATASET}-many`, "--output", "json");
    const { operations } = JSON.parse(all.stdout) as { operations: { name: string; metadata: object }[] };
    expect(new Set(operations.map(({ name }) => name)).size).toBe(150);
    expect(operations[0]?.metadata).toHaveProperty("@type", expect.stringContaining("OperationMetadata"));
    const some = await client("list", `${DATASET}-many`, "--limit", "120");
    expect(some.stdout.trimEnd().split("\n")).toHaveLength(121);
    expect(some.stderr).toBe("There are more than these 120; ask for them with a higher --limit.\n");
    const one = await client("list", `${DATASET}-many`, "--limit", "1");
    expect(one.stderr).toBe("There are more than this one; ask for them with a higher --limit.\n");
  });

  it("hands the filter on, and says when nothing is there", async () => {
    const done = await client("list", DATASET, "--filter", "done = true", "--output", "json");
    const { operations } = JSON.parse(done.stdout) as { operations: { name: string }[] };
    expect(operations.map(({ name }) => name)).toEqual([FAILED, DONE]);
    const none = await client("list", DATASET, "--filter", 'metadata.apiMethodName = "none"');
    expect([none.code, none.stdout, none.stderr]).toEqual([0, "", "There are no operations here.\n"]);
  });
});

describe("get", () => {
  it("prints ProtoJSON, with the types of metadata and response resolved", async () => {
    const { stdout } = await client("get", DONE, "--output", "json");
    expect(JSON.parse(stdout)).toMatchObject({
      name: DONE,
      done: true,
      metadata: { "@type": expect.stringContaining("OperationMetadata") as string, counter: {} },
      response: { "@type": expect.stringContaining("type.googleapis.com/") as string },
    });
  });

  it("prints an error as a status in JSON on stderr", async () => {
    const { code, stdout, stderr } = await client("get", `${DATASET}/operations/unknown`, "--output", "json");
    expect([code, stdout]).toEqual([1, ""]);
    expect(JSON.parse(stderr)).toMatchObject({ error: { code: 5, status: "NOT_FOUND" } });
  });

  it("prints as JSON, too, that no gateway answers", async () => {
    const { code, stdout, stderr } = await runInside([
      ...["get", DONE, "--address", "127.0.0.1:1", "--output", "json"],
    ]);
    expect([code, stdout]).toEqual([4, ""]);
    expect(JSON.parse(stderr)).toEqual({
      error: {
        code: 14,
        status: "UNAVAILABLE",
        message: expect.stringMatching(
          /^no gateway answers at http:\/\/127\.0\.0\.1:1: connection refused; /,
        ),
        details: [],
      },
    });
  });

  it("keeps control characters of the upstream away from the terminal", async () => {
    const outcome = { type: "error", code: 3, message: "\u001b[31mred\u0007\nnext" } as const;
    const loud = { dataset: `${DATASET}-loud`, durationMs: 1, ageMs: 10, outcome };
    const { stdout } = await client("get", world.emulator.emulator.createOperation(loud));
    expect(stdout).toContain("\u{fffd}[31mred\u{fffd}\n");
  });
});

describe("cancel", () => {
  it("asks for the cancellation, says where to look, and fails for an operation that has ended", async () => {
    const name = world.emulator.emulator.createOperation({
      dataset: `${DATASET}-cancelled`,
      durationMs: null,
    });
    const { code, stdout } = await client("cancel", name);
    expect([code, stdout]).toEqual([
      0,
      `Cancellation requested. What comes of it: lro-gateway get ${name} --address ${world.gateway.address}\n`,
    ]);
    const again = await client("cancel", DONE);
    expect(again.code).toBe(1);
    expect(again.stderr).toMatch(/^lro-gateway: FAILED_PRECONDITION: /);
    expect(again.stderr).toContain("  failed in: upstream\n");
  });
});

describe("the operator's client without an answer", () => {
  it("says that what answers there is no gateway, when it does not speak HTTP/2", async () => {
    const sockets: Socket[] = [];
    const http1 = createServer((socket) => {
      sockets.push(socket.on("error", () => {}));
      socket.write("HTTP/1.1 400 Bad Request\r\n\r\n");
    });
    await new Promise<void>((resolve) => http1.listen(0, "127.0.0.1", resolve));
    const { port } = http1.address() as { port: number };
    const { code, stderr } = await runInside(["get", DONE, "--address", `127.0.0.1:${port}`]);
    for (const socket of sockets) socket.destroy();
    http1.close();
    expect(code).toBe(4);
    expect(stderr).toContain("no gateway answers at");
    expect(stderr).toContain("does not speak HTTP/2");
  });

  it("says that no gateway answers there, with exit code 4, in every protocol", async () => {
    const closed = createServer();
    await new Promise<void>((resolve) => closed.listen(0, "127.0.0.1", resolve));
    const { port } = closed.address() as { port: number };
    await new Promise((resolve) => closed.close(resolve));
    for (const protocol of ["grpc", "grpc-web", "connect"])
      expect(
        await runInside(["get", DONE, "--address", `127.0.0.1:${port}`, "--protocol", protocol]),
      ).toEqual({
        code: 4,
        stdout: "",
        stderr: `lro-gateway: no gateway answers at http://127.0.0.1:${port}: connection refused; start one with "lro-gateway serve", or name another with --address\n`,
      });
  });

  it("gives up at its timeout, with exit code 4", async () => {
    const silent = createServer(() => {});
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
    const { port } = silent.address() as { port: number };
    const address = `127.0.0.1:${port}`;
    const { code, stderr } = await runInside(["get", DONE, "--address", address, "--timeout", "200ms"]);
    silent.close();
    expect(code).toBe(4);
    expect(stderr).toBe(
      "lro-gateway: DEADLINE_EXCEEDED: the call was not answered in time; --timeout sets how long it may take\n",
    );
  });
});

describe("a list without end", () => {
  it("is given up when a page token comes again", async () => {
    const fault = world.emulator.emulator.addFault({ match: { method: "list" }, emptyPage: true });
    const { code, stderr } = await client("list", DATASET);
    await fetch(`${world.emulator.endpoint}/emulator/v1/faults/${fault}`, { method: "DELETE" });
    expect([code, stderr]).toEqual([
      1,
      "lro-gateway: the list does not come to an end: a page token has come twice\n",
    ]);
  });
});

describe("a connection that is closed while a request is on its way", () => {
  it.each(["ECONNRESET", "EPIPE"])("is no gateway's answer, told by %s", (code) => {
    const cause = Object.assign(new Error(`write ${code}`), { code });
    const error = new ConnectError(`write ${code}`, Code.Internal, undefined, undefined, cause);
    const settings = readClientSettings({ address: "127.0.0.1:1" }, { env: {} } as unknown as CommandIo);
    expect(explainRpcFailure(error, settings)).toMatchObject({
      exitCode: 4,
      message: expect.stringContaining("the connection was broken off"),
    });
  });
});

describe("--timeout", () => {
  it.each(["get", "wait", "cancel"])(
    "of %s is refused where it is longer than can be counted",
    async (command) => {
      const { code, stdout, stderr } = await client(command, DONE, "--timeout", "600h");
      expect([code, stdout]).toEqual([2, ""]);
      expect(stderr).toBe('lro-gateway: --timeout: "600h" is longer than 576h, 24 days\n');
    },
  );
});

describe("--token-file", () => {
  it("is refused when it is missing, empty or more than a token, and never repeated", async () => {
    const write = (text: string): string => {
      const path = join(directory, "token");
      writeFileSync(path, text);
      return path;
    };
    const missing = await client("get", DONE, "--token-file", join(directory, "none"));
    expect([missing.code, missing.stderr]).toEqual([
      2,
      `lro-gateway: --token-file: cannot read ${join(directory, "none")}: there is no such file\n`,
    ]);
    const empty = await client("get", DONE, "--token-file", write(" \n"));
    expect(empty.stderr).toContain("is empty; write an access token into it");
    const json = await client("get", DONE, "--token-file", write('{"access_token": "ya29.secret"}'));
    expect(json.stderr).toContain("holds more than a token");
    expect(json.stderr).not.toContain("secret");
    expect([empty.code, json.code]).toEqual([2, 2]);
  });

  it("is sent as the caller's own authorization", async () => {
    const path = join(directory, "good");
    writeFileSync(path, "ya29.good\n");
    expect((await client("get", DONE, "--token-file", path)).code).toBe(0);
  });
});
