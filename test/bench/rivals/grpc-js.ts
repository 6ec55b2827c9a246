/** The service on grpc-js: `node grpc-js.ts UPSTREAM_PORT`. */
import { type DescMessage, fromBinary, type Message, toBinary } from "@bufbuild/protobuf";
import {
  type handleUnaryCall,
  type MethodDefinition,
  Server,
  ServerCredentials,
  status,
} from "@grpc/grpc-js";
import { Operations } from "../../../gen/google/longrunning/operations_pb.ts";
import { plainOperations } from "./plain-operations.ts";

const operations = plainOperations(process.argv[2]!);
const { getOperation, listOperations, cancelOperation } = Operations.method;

function definition(
  name: string,
  input: DescMessage,
  output: DescMessage,
): MethodDefinition<Message, Message> {
  return {
    path: `/${Operations.typeName}/${name}`,
    requestStream: false,
    responseStream: false,
    requestSerialize: (message) => Buffer.from(toBinary(input, message)),
    requestDeserialize: (bytes) => fromBinary(input, bytes),
    responseSerialize: (message) => Buffer.from(toBinary(output, message)),
    responseDeserialize: (bytes) => fromBinary(output, bytes),
  };
}

// The descriptors have told which message each handler takes.
function unary(handle: (request: never) => Promise<Message>): handleUnaryCall<Message, Message> {
  return (call, callback) => {
    handle(call.request as never).then(
      (answer) => callback(null, answer),
      (error: Error) => callback({ code: status.UNKNOWN, message: error.message }),
    );
  };
}

const server = new Server();
server.addService(
  {
    GetOperation: definition("GetOperation", getOperation.input, getOperation.output),
    ListOperations: definition("ListOperations", listOperations.input, listOperations.output),
    CancelOperation: definition("CancelOperation", cancelOperation.input, cancelOperation.output),
  },
  {
    GetOperation: unary(operations.getOperation),
    ListOperations: unary(operations.listOperations),
    CancelOperation: unary(operations.cancelOperation),
  },
);
server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error;
  console.log(`listening on 127.0.0.1:${port}`);
});
