import { request as http1Request } from "node:http";
import { connect as http2Connect } from "node:http2";
import { equals, fromBinary, fromJsonString } from "@bufbuild/protobuf";
import { EmptySchema } from "@bufbuild/protobuf/wkt";
import { ListOperationsResponseSchema, OperationSchema } from "../../gen/google/longrunning/operations_pb.ts";
import { registry } from "../../src/lib/any-registry.ts";
import { TEST_CERTIFICATE } from "../support/tls.ts";
import { GET_BODY, LIST_BODY } from "./answers.ts";
import { type Cell, cellName, type Method, pathOf, requestBodies, WIRES } from "./cells.ts";

const SCHEMAS = {
  CancelOperation: EmptySchema,
  GetOperation: OperationSchema,
  ListOperations: ListOperationsResponseSchema,
};
const BODIES: Readonly<Record<Method, string>> = {
  CancelOperation: "{}",
  GetOperation: GET_BODY,
  ListOperations: LIST_BODY,
};

/** Makes one call with the HTTP clients of Node, and returns the body of its answer. Throws if it says anything else than it must. */
export async function checkedAnswer(cell: Cell, port: number): Promise<Buffer> {
  const wire = WIRES[cell.carrier];
  // A name that the generator never sends.
  const body = requestBodies(cell, 1, 1_000_000)[0]!;
  const answer = await (wire.http === 2 ? http2Answer(cell, port, body) : http1Answer(cell, port, body));
  const problem = problemOf(cell, answer);
  if (problem)
    throw new Error(
      `${cellName(cell)}: ${problem} ${JSON.stringify(answer.headers)} ${answer.body.toString("latin1").slice(0, 300)}`,
    );
  return answer.body;
}

interface Answer {
  readonly headers: Record<string, unknown>;
  readonly body: Buffer;
}

function problemOf({ method, carrier }: Cell, { headers, body }: Answer): string | undefined {
  const { contentType, json, enveloped } = WIRES[carrier];
  const status = headers[":status"];
  if (status !== 200) return `HTTP status ${status}`;
  if (String(headers["content-type"]).replace("+proto", "") !== contentType.replace("+proto", ""))
    return `content type ${headers["content-type"]}`;
  const message = enveloped ? body.subarray(5, 5 + body.readUInt32BE(1)) : body;
  const trailers = carrier === "grpc-web" ? body.subarray(5 + message.length + 5).toString() : undefined;
  if (carrier.startsWith("grpc") && trailers === undefined && headers["grpc-status"] !== "0")
    return `grpc-status ${headers["grpc-status"]}`;
  if (trailers !== undefined && !/grpc-status: ?0\r\n/i.test(trailers)) return `trailers ${trailers}`;
  const schema = SCHEMAS[method];
  const expected = fromJsonString(schema, BODIES[method], { registry });
  const decoded = json
    ? fromJsonString(schema, message.toString(), { registry })
    : fromBinary(schema, message);
  return equals(schema, decoded, expected, { registry, unpackAny: true }) ? undefined : "a wrong message";
}

function http2Answer(cell: Cell, port: number, body: Buffer): Promise<Answer> {
  const { contentType, headers, tls } = WIRES[cell.carrier];
  return new Promise((resolve, reject) => {
    const session = tls
      ? http2Connect(`https://127.0.0.1:${port}`, { ca: TEST_CERTIFICATE, servername: "localhost" })
      : http2Connect(`http://127.0.0.1:${port}`);
    session.on("error", reject);
    const stream = session.request({
      ":method": "POST",
      ":path": pathOf(cell),
      "content-type": contentType,
      ...headers,
    });
    const chunks: Buffer[] = [];
    let all: Record<string, unknown> = {};
    const add = (more: object): void => {
      all = { ...all, ...more };
    };
    stream.on("response", add).on("trailers", add).on("error", reject);
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("close", () => {
      session.destroy();
      resolve({ headers: all, body: Buffer.concat(chunks) });
    });
    stream.end(body);
  });
}

function http1Answer(cell: Cell, port: number, body: Buffer): Promise<Answer> {
  const { contentType, headers } = WIRES[cell.carrier];
  return new Promise((resolve, reject) => {
    const request = http1Request(
      {
        port,
        host: "127.0.0.1",
        method: "POST",
        path: pathOf(cell),
        headers: { "content-type": contentType, ...headers },
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("end", () =>
          resolve({
            headers: { ...response.headers, ":status": response.statusCode },
            body: Buffer.concat(chunks),
          }),
        );
      },
    );
    request.on("error", reject);
    request.end(body);
  });
}
