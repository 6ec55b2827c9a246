import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Operations } from "../../gen/google/longrunning/operations_pb.ts";
import { BadRequestSchema, ErrorInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import { OperationWatcher } from "../../gen/lrogateway/v1/operation_watcher_pb.ts";
import type { RunningGateway } from "../../src/gateway.ts";
import { CredentialEnvironment } from "../support/credential-environment.ts";
import { FaultServer } from "../support/fault-server.ts";
import { startTestGateway } from "../support/test-gateway.ts";

const DATASET = "projects/p/locations/l/datasets/d";

/** Shorter than the pause that the upstream asks for, and longer than any answer that needs no upstream. */
const AT_ONCE_MS = 20_000;

const NAMES = [
  "",
  "nonsense",
  `${DATASET}/operations/`,
  `${DATASET}/operations/..`,
  `${DATASET}/operations/1%2F..`,
  `${DATASET}/operations/1/more`,
];
const PARENTS = ["", "nonsense", "projects/p/locations/l/datasets/..", `${DATASET}/operations`];

describe.each(["none", "caller", "adc"] as const)("with credentials %s", (credentials) => {
  let environment: CredentialEnvironment;
  let upstream: FaultServer;
  let issuer: FaultServer;
  let gateway: RunningGateway;
  beforeAll(async () => {
    environment = new CredentialEnvironment();
    issuer = await FaultServer.start((_, reply) =>
      reply.json(
        200,
        { access_token: "t", expires_in: 3600, token_type: "Bearer" },
        { "metadata-flavor": "Google" },
      ),
    );
    if (credentials === "adc") environment.useMetadataServer(issuer.origin);
    upstream = await FaultServer.start((_, reply) =>
      reply.json(429, { error: { code: 429, status: "RESOURCE_EXHAUSTED" } }, { "retry-after": "3600" }),
    );
    gateway = await startTestGateway(upstream.origin, { "upstream.credentials": credentials });
    // From now on reads of this project and region wait for an hour.
    const read = clients("authorized").operations.getOperation({ name: `${DATASET}/operations/1` });
    await expect(read).rejects.toMatchObject({ code: Code.ResourceExhausted });
    upstream.requests.length = 0;
  });
  afterAll(async () => {
    await gateway.drain();
    await upstream.close();
    await issuer.close();
    environment[Symbol.dispose]();
  });

  function clients(who: "authorized" | "anonymous") {
    const transport = createGrpcTransport({
      baseUrl: `http://${gateway.address}`,
      interceptors: [
        (next) => (request) => {
          if (who === "authorized") request.header.set("authorization", "Bearer caller");
          return next(request);
        },
      ],
    });
    const options = { timeoutMs: AT_ONCE_MS };
    return {
      operations: createClient(Operations, transport),
      wait: (name: string) => createClient(Operations, transport).waitOperation({ name }, options),
      cancel: (name: string) => createClient(OperationWatcher, transport).cancelAndWait({ name }, options),
      watch: (name: string, timeoutMs = AT_ONCE_MS) =>
        drain(createClient(OperationWatcher, transport).watchOperation({ name }, { timeoutMs })),
      watchAll: (parent: string) =>
        drain(createClient(OperationWatcher, transport).watchOperations({ parent }, options)),
    };
  }

  it.each(["authorized", "anonymous"] as const)(
    "refuses a malformed name at once in every way to wait, and sends nothing (%s caller)",
    async (who) => {
      const { wait, cancel, watch, watchAll } = clients(who);
      const calls = [
        ...NAMES.flatMap((name) => [wait, cancel, watch].map((method) => failure(method(name)))),
        ...PARENTS.map((parent) => failure(watchAll(parent))),
      ];
      for (const error of await Promise.all(calls)) {
        const reason = error.findDetails(ErrorInfoSchema)[0]?.reason;
        expect([Code[error.code], reason]).toEqual(["InvalidArgument", "NAME_INVALID"]);
      }
      expect(upstream.requests).toEqual([]);
    },
  );

  it("names the field as the caller's request has it: name, or parent", async () => {
    const { watch, watchAll } = clients("authorized");
    const told = await Promise.all([watch("nonsense"), watchAll("nonsense"), watchAll("")].map(failure));
    const fields = told.map((error) => error.findDetails(BadRequestSchema)[0]?.fieldViolations[0]);
    expect(fields.map((violation) => violation?.field)).toEqual(["name", "parent", "parent"]);
    for (const [n, error] of told.entries())
      for (const text of [error.rawMessage, fields[n]?.description])
        expect(text).toMatch(new RegExp(`^${fields[n]?.field} `));
  });

  it("waits with a well-formed name, so that it was the name that was refused", async () => {
    const { watch } = clients("authorized");
    const error = await failure(watch(`${DATASET}/operations/2`, 300));
    expect(Code[error.code]).toBe("DeadlineExceeded");
  });
});

async function drain(stream: AsyncIterable<object>): Promise<void> {
  for await (const _ of stream);
}

function failure(call: Promise<unknown>): Promise<ConnectError> {
  return call.then(
    () => expect.unreachable("the call succeeded"),
    (error) => ConnectError.from(error),
  );
}
