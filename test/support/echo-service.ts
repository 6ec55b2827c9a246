import {
  create,
  createFileRegistry,
  type DescMessage,
  type DescService,
  type Message,
} from "@bufbuild/protobuf";
import {
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
  MethodOptions_IdempotencyLevel as Idempotency,
  FieldDescriptorProto_Label as Label,
  FieldDescriptorProto_Type as Type,
} from "@bufbuild/protobuf/wkt";
import type { Call } from "../../src/rpc/call.ts";
import type {
  ResponseStream,
  ServerStreamHandler,
  ServiceDefinition,
  UnaryHandler,
} from "../../src/rpc/handler.ts";

/** A message of the echo service. Its type is made at run time, so nothing of it is in the gateway's own code. */
export interface Echo extends Message<"test.v1.Echo"> {
  text: string;
  data: Uint8Array;
  times: number;
}

const file = create(FileDescriptorProtoSchema, {
  name: "test/v1/echo.proto",
  package: "test.v1",
  syntax: "proto3",
  messageType: [
    {
      name: "Echo",
      field: [
        { name: "text", number: 1, type: Type.STRING, label: Label.OPTIONAL, jsonName: "text" },
        { name: "data", number: 2, type: Type.BYTES, label: Label.OPTIONAL, jsonName: "data" },
        { name: "times", number: 3, type: Type.INT32, label: Label.OPTIONAL, jsonName: "times" },
        {
          name: "inner",
          number: 4,
          type: Type.MESSAGE,
          typeName: ".test.v1.Echo",
          label: Label.OPTIONAL,
          jsonName: "inner",
        },
      ],
    },
  ],
  service: [
    {
      name: "EchoService",
      method: [
        { name: "Say", inputType: ".test.v1.Echo", outputType: ".test.v1.Echo" },
        {
          name: "Look",
          inputType: ".test.v1.Echo",
          outputType: ".test.v1.Echo",
          options: { idempotencyLevel: Idempotency.NO_SIDE_EFFECTS },
        },
        { name: "Missing", inputType: ".test.v1.Echo", outputType: ".test.v1.Echo" },
        { name: "Repeat", inputType: ".test.v1.Echo", outputType: ".test.v1.Echo", serverStreaming: true },
      ],
    },
  ],
});

/** The types of the echo service. */
export const echoRegistry = createFileRegistry(create(FileDescriptorSetSchema, { file: [file] }));

export const EchoSchema = echoRegistry.getMessage("test.v1.Echo") as DescMessage;
export const EchoService = echoRegistry.getService("test.v1.EchoService") as DescService;

/** Paths of its methods. */
export const SAY = "/test.v1.EchoService/Say";
export const LOOK = "/test.v1.EchoService/Look";
export const MISSING = "/test.v1.EchoService/Missing";
export const REPEAT = "/test.v1.EchoService/Repeat";

export function echo(fields: Partial<Pick<Echo, "text" | "data" | "times">>): Echo {
  return create(EchoSchema, fields) as Echo;
}

/** The echo service with these handlers. `Missing` has none. */
export function echoService(handlers: {
  say?: (request: Echo, call: Call) => ReturnType<UnaryHandler>;
  look?: (request: Echo, call: Call) => ReturnType<UnaryHandler>;
  repeat?: (request: Echo, call: Call) => ResponseStream;
}): ServiceDefinition {
  return {
    service: EchoService,
    handlers: {
      say: handlers.say as UnaryHandler | undefined,
      look: handlers.look as UnaryHandler | undefined,
      repeat: handlers.repeat as ServerStreamHandler | undefined,
    },
  };
}

/** A stream that gives these messages at once, and then ends, with an error if there is one. */
export function streamOf(messages: readonly Echo[], end: ResponseStream["end"] = {}): ResponseStream {
  const left = [...messages];
  return {
    open() {},
    pull: () => left.shift(),
    get end() {
      return left.length === 0 ? end : undefined;
    },
    close() {},
  };
}
