import { execFile } from "node:child_process";
import { promisify } from "node:util";
import {
  create,
  createFileRegistry,
  createRegistry,
  fromBinary,
  getOption,
  type MessageInitShape,
} from "@bufbuild/protobuf";
import {
  anyPack,
  type FileDescriptorProto,
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
} from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { http } from "../../gen/google/api/annotations_pb.ts";
import {
  file_google_cloud_healthcare_v1_operation_metadata as metadataFile,
  OperationMetadataSchema,
} from "../../gen/google/cloud/healthcare/v1/operation_metadata_pb.ts";
import { OperationSchema, Operations } from "../../gen/google/longrunning/operations_pb.ts";
import { file_google_rpc_error_details as errorDetails } from "../../gen/google/rpc/error_details_pb.ts";
import { Health } from "../../gen/grpc/health/v1/health_pb.ts";
import {
  ServerReflection,
  type ServerReflectionRequestSchema,
} from "../../gen/grpc/reflection/v1/reflection_pb.ts";
import { ServerReflection as ServerReflectionAlpha } from "../../gen/grpc/reflection/v1alpha/reflection_pb.ts";
import { type Listener, startListener } from "../../src/listen/listener.ts";
import { defineService } from "../../src/rpc/handler.ts";
import { createRouter } from "../../src/rpc/router.ts";
import { reflectionRoutes } from "../../src/services/reflection.ts";
import { Flag, Frame, frame, grpcFields, headerBlock, RawH2 } from "../support/raw-h2.ts";
import { startTestGateway } from "../support/test-gateway.ts";

type Question = NonNullable<MessageInitShape<typeof ServerReflectionRequestSchema>["messageRequest"]>;

/** Types that Operations does not mention, but that its Any fields hold. */
const types = createRegistry(metadataFile, errorDetails);

const operations = defineService(Operations, {
  getOperation: ({ name }) =>
    create(OperationSchema, {
      name,
      metadata: anyPack(
        OperationMetadataSchema,
        create(OperationMetadataSchema, { apiMethodName: "import" }),
      ),
    }),
});

let listener: Listener;
let url: string;
beforeAll(async () => {
  const routes = reflectionRoutes([Operations, Health], types);
  listener = await startListener(
    { listen: "127.0.0.1:0" },
    createRouter([operations], { registry: types, routes }),
  );
  url = `http://${listener.address}`;
});
afterAll(() => listener.close());

const versions = {
  "grpc.reflection.v1": ServerReflection,
  // The messages of both are the same but for their package, so one client type stands for both.
  "grpc.reflection.v1alpha": ServerReflectionAlpha as unknown as typeof ServerReflection,
};
for (const [version, service] of Object.entries(versions)) {
  describe(version, () => {
    /** Asks on one stream and returns the answers in order. */
    async function ask(...questions: Question[]) {
      const client = createClient(service, createGrpcTransport({ baseUrl: url }));
      const requests = (async function* () {
        for (const messageRequest of questions) yield { host: "h", messageRequest };
      })();
      const answers = [];
      for await (const { validHost, originalRequest, messageResponse } of client.serverReflectionInfo(
        requests,
      )) {
        expect(validHost).toBe("h");
        expect(originalRequest?.messageRequest).toMatchObject(questions[answers.length]!);
        answers.push(messageResponse);
      }
      expect(answers).toHaveLength(questions.length);
      return answers;
    }

    /** The files of an answer, by name. */
    function filesOf(answer: Awaited<ReturnType<typeof ask>>[number] | undefined) {
      if (answer?.case !== "fileDescriptorResponse") throw new Error(`no files, but ${answer?.case}`);
      return answer.value.fileDescriptorProto.map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes));
    }

    it("lists the services, itself and its twin among them", async () => {
      const [answer] = await ask({ case: "listServices", value: "" });
      expect(answer).toMatchObject({
        case: "listServicesResponse",
        value: {
          service: [
            { name: "google.longrunning.Operations" },
            { name: "grpc.health.v1.Health" },
            { name: "grpc.reflection.v1.ServerReflection" },
            { name: "grpc.reflection.v1alpha.ServerReflection" },
          ],
        },
      });
    });

    it.each([
      ["service", "google.longrunning.Operations", "google/longrunning/operations.proto"],
      ["method", "google.longrunning.Operations.GetOperation", "google/longrunning/operations.proto"],
      ["message", "google.longrunning.Operation", "google/longrunning/operations.proto"],
      ["field", "google.longrunning.Operation.name", "google/longrunning/operations.proto"],
      ["oneof", "google.longrunning.Operation.result", "google/longrunning/operations.proto"],
      ["nested message", "google.rpc.BadRequest.FieldViolation", "google/rpc/error_details.proto"],
      ["enum", "google.protobuf.FieldDescriptorProto.Type", "google/protobuf/descriptor.proto"],
      ["enum value", "google.protobuf.FieldDescriptorProto.TYPE_BOOL", "google/protobuf/descriptor.proto"],
      ["extension", "google.api.http", "google/api/annotations.proto"],
      ["imported message", "google.protobuf.Any", "google/protobuf/any.proto"],
    ])("finds the file of a %s", async (_kind, symbol, file) => {
      const [answer] = await ask({ case: "fileContainingSymbol", value: symbol });
      expect(filesOf(answer)[0]?.name).toBe(file);
    });

    it("sends with a file all that it imports, options included: enough to build the types", async () => {
      const [answer] = await ask({ case: "fileByFilename", value: "google/longrunning/operations.proto" });
      const rebuilt = createFileRegistry(
        create(FileDescriptorSetSchema, { file: importsFirst(filesOf(answer)) }),
      );
      const operation = rebuilt.getMessage("google.longrunning.Operation");
      expect(operation?.fields.map(({ name, number }) => [name, number])).toEqual(
        OperationSchema.fields.map(({ name, number }) => [name, number]),
      );
      const method = rebuilt.getService("google.longrunning.Operations")?.method["getOperation"];
      expect(getOption(method!, http)).toEqual(getOption(Operations.method.getOperation, http));
    });

    it("finds every type that may stand in an Any", async () => {
      const names = Array.from(types, ({ typeName }) => typeName);
      const answers = await ask(...names.map((value): Question => ({ case: "fileContainingSymbol", value })));
      expect(answers.map((answer) => filesOf(answer)[0]?.name)).toEqual(
        Array.from(types, ({ file }) => file.proto.name),
      );
      expect(names).toContain("google.cloud.healthcare.v1.OperationMetadata");
    });

    it("sends an import once a stream, and a file again to who asks for it", async () => {
      const question: Question = { case: "fileContainingSymbol", value: "google.longrunning.Operation" };
      const [first, again] = await ask(question, question);
      expect(filesOf(first).length).toBeGreaterThan(1);
      expect(filesOf(again).map(({ name }) => name)).toEqual(["google/longrunning/operations.proto"]);
    });

    it("finds extensions by the message that they extend", async () => {
      const extended = "google.protobuf.MethodOptions";
      const [byNumber, numbers, none] = await ask(
        {
          case: "fileContainingExtension",
          value: { containingType: extended, extensionNumber: 72295728 },
        },
        { case: "allExtensionNumbersOfType", value: extended },
        { case: "allExtensionNumbersOfType", value: "google.longrunning.Operation" },
      );
      expect(filesOf(byNumber)[0]?.name).toBe("google/api/annotations.proto");
      expect(numbers).toMatchObject({
        case: "allExtensionNumbersResponse",
        value: { baseTypeName: extended, extensionNumber: expect.arrayContaining([72295728]) },
      });
      expect(none).toMatchObject({
        case: "allExtensionNumbersResponse",
        value: { baseTypeName: "google.longrunning.Operation", extensionNumber: [] },
      });
    });

    it("answers NOT_FOUND to what is not there, and goes on", async () => {
      const answers = await ask(
        { case: "fileByFilename", value: "no/such.proto" },
        { case: "fileContainingSymbol", value: "no.Such" },
        { case: "fileContainingExtension", value: { containingType: "no.Such", extensionNumber: 1 } },
        { case: "allExtensionNumbersOfType", value: "no.Such" },
        { case: "fileContainingSymbol", value: "__proto__" },
        { case: "fileByFilename", value: "google/protobuf/any.proto" },
      );
      for (const answer of answers.slice(0, 5))
        expect(answer).toMatchObject({ case: "errorResponse", value: { errorCode: Code.NotFound } });
      expect(filesOf(answers[5])).toHaveLength(1);
    });

    it("ends with INVALID_ARGUMENT when nothing is asked", async () => {
      await expect(ask({ case: undefined })).rejects.toMatchObject({ code: Code.InvalidArgument });
    });
  });
}

describe("buf curl, which knows no proto", () => {
  const buf = async (...args: string[]) => {
    const { stdout } = await promisify(execFile)("node_modules/.bin/buf", [
      "curl",
      "--http2-prior-knowledge",
      ...args,
    ]);
    return stdout;
  };

  it("lists methods and prints an Any as its type", async () => {
    const methods = await buf("--list-methods", url);
    expect(methods).toContain("google.longrunning.Operations/CancelOperation");
    const data = ["-d", '{"name":"operations/1"}', `${url}/google.longrunning.Operations/GetOperation`];
    expect(JSON.parse(await buf("--protocol", "grpc", ...data))).toEqual({
      name: "operations/1",
      metadata: {
        "@type": "type.googleapis.com/google.cloud.healthcare.v1.OperationMetadata",
        apiMethodName: "import",
      },
    });
  });

  it("can ask v1alpha", async () => {
    const services = await buf("--reflect-protocol", "grpc-v1alpha", "--list-services", url);
    expect(services).toContain("google.longrunning.Operations");
  });
});

it("is there by default, and not when `reflection` is false", async () => {
  const ask = async (flags: Record<string, string>) => {
    const gateway = await startTestGateway("http://127.0.0.1:9", flags);
    const transport = createGrpcTransport({ baseUrl: `http://${gateway.address}` });
    const questions = [{ messageRequest: { case: "listServices" as const, value: "" } }];
    try {
      const codes = [];
      for (const service of [ServerReflection, ServerReflectionAlpha]) {
        const client = createClient(service, transport);
        const answers = client.serverReflectionInfo(
          (async function* () {
            yield* questions;
          })(),
        );
        const first = answers[Symbol.asyncIterator]().next();
        codes.push(
          await first.then(
            () => "answered",
            (error: unknown) => ConnectError.from(error).code,
          ),
        );
      }
      return codes;
    } finally {
      await gateway.drain();
    }
  };
  expect(await ask({})).toEqual(["answered", "answered"]);
  expect(await ask({ reflection: "false" })).toEqual([Code.Unimplemented, Code.Unimplemented]);
});

/** The order that a FileDescriptorSet has. Throws when an import is not among the files. */
function importsFirst(files: readonly FileDescriptorProto[]): FileDescriptorProto[] {
  const sorted = new Set<FileDescriptorProto>();
  const add = (path: string) => {
    const file = files.find(({ name }) => name === path);
    if (!file) throw new Error(`${path} is imported but was not sent`);
    file.dependency.forEach(add);
    sorted.add(file);
  };
  for (const { name } of files) add(name);
  return [...sorted];
}

it("ends a stream on which its caller says nothing, at first or later, with a status", async () => {
  const router = createRouter([operations], {
    registry: types,
    routes: reflectionRoutes([Operations], types),
    limits: { requestArrivalMs: 100, streamIdleMs: 100 },
  });
  const quick = await startListener({ listen: "127.0.0.1:0" }, router);
  const client = createClient(ServerReflection, createGrpcTransport({ baseUrl: `http://${quick.address}` }));
  for (const first of [[], [{ messageRequest: { case: "listServices" as const, value: "" } }]]) {
    const silence = Promise.withResolvers<void>();
    const requests = (async function* () {
      yield* first;
      await silence.promise;
    })();
    let answers = 0;
    const ended = (async () => {
      for await (const _ of client.serverReflectionInfo(requests)) answers++;
    })();
    await expect(ended).rejects.toMatchObject({ code: Code.DeadlineExceeded });
    expect(answers).toBe(first.length);
    silence.resolve();
  }
  await quick.close();
});

it.each(["100m", "0m", "-1S"])(
  "ends a stream of the timeout %s by itself, with a status",
  async (timeout) => {
    const peer = await RawH2.connect(Number(listener.address.split(":").at(-1)));
    const path = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
    const listServices = Buffer.from([0, 0, 0, 0, 2, 0x3a, 0]);
    peer.send(
      frame(Frame.HEADERS, Flag.END_HEADERS, 1, headerBlock(grpcFields(path, [["grpc-timeout", timeout]]))),
      frame(Frame.DATA, 0, 1, listServices),
    );
    const end = await peer.receive(({ flags, stream }) => stream === 1 && (flags & Flag.END_STREAM) !== 0);
    expect(end?.type).toBe(Frame.HEADERS);
    expect(end?.payload.toString("latin1")).toContain(`grpc-status\x01${Code.DeadlineExceeded}`);
    expect(peer.frames.some(({ type }) => type === Frame.DATA)).toBe(timeout === "100m");
    peer.destroy();
  },
);
