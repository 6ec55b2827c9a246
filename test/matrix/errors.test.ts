import { connect as connectHttp2 } from "node:http2";
import { create, fromBinary, type JsonValue, toBinary } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from "@connectrpc/connect-node";
import * as grpc from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { GetOperationRequestSchema, Operations } from "../../gen/google/longrunning/operations_pb.ts";
import { ErrorInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import { StatusSchema } from "../../gen/google/rpc/status_pb.ts";
import type { RunningGateway } from "../../src/gateway.ts";
import { CODES, type Row, SHAPES } from "../errors/golden.ts";
import { FaultServer } from "../support/fault-server.ts";
import { startTestGateway } from "../support/test-gateway.ts";

const TOKEN = "ya29.the-callers-own-token-of-the-matrix";
const DATASET = "projects/p/locations/l/datasets/d";

/** What a client knows after an error, in terms that all protocols share. */
interface Seen {
  readonly code: Code;
  readonly message: string;
  /** Type and value of each detail. */
  readonly details: readonly [type: string, value: string][];
  readonly metadata: Record<string, string | null>;
}

const METADATA = [
  "lro-error-layer",
  "lro-upstream-status",
  "lro-upstream-request-id",
  "lro-error-cut",
  "x-request-id",
];

/** The id that each caller gives its call. */
const REQUEST_ID = "of-the-test-1";

/** The body of an operation's Get, by the operation's id: `shape.row`. */
const SHAPE_NAMES = Object.keys(SHAPES);
const bodyOf = (shape: string, row: Row): Buffer => {
  const body = SHAPES[shape]?.body(row) ?? "";
  return Buffer.from(typeof body === "string" || body instanceof Uint8Array ? body : JSON.stringify(body));
};

let upstream: FaultServer;
let gateway: RunningGateway;
let session: ReturnType<typeof connectHttp2>;
let legs: Record<string, (name: string) => Promise<Seen>>;
let grpcJs: grpc.Client;

beforeAll(async () => {
  upstream = await FaultServer.start((request, reply) => {
    const [, shape = "", row = "", coding] = /operations\/(\d+)\.(\d+)(\.gzip)?$/.exec(request.path) ?? [];
    const name = SHAPE_NAMES[Number(shape)] ?? "";
    const found = CODES[Number(row)];
    if (!found) throw new Error(`unexpected ${request.path}`);
    const headers = {
      ...(SHAPES[name]?.headers ?? { "content-type": "application/json; charset=UTF-8" }),
      "x-goog-request-id": `req-${shape}.${row}`,
      // Longer than the gateway is ready to wait, so that it does not try again.
      ...(found.http === 503 ? { "retry-after": "60" } : {}),
    };
    if (coding) reply.gzip(found.http, bodyOf(name, found), headers);
    else reply.send(found.http, bodyOf(name, found), headers);
  });
  gateway = await startTestGateway(upstream.origin, { "upstream.credentials": "caller" });
  const baseUrl = `http://${gateway.address}`;
  session = connectHttp2(baseUrl);
  grpcJs = new grpc.Client(gateway.address, grpc.credentials.createInsecure());
  legs = {
    "gRPC (connect-es)": viaConnect(createGrpcTransport({ baseUrl })),
    "gRPC (grpc-js)": viaGrpcJs,
    "gRPC-Web": viaConnect(createGrpcWebTransport({ baseUrl, httpVersion: "1.1" })),
    "Connect JSON": viaConnect(
      createConnectTransport({ baseUrl, httpVersion: "1.1", useBinaryFormat: false }),
    ),
    "Connect binary": viaConnect(
      createConnectTransport({ baseUrl, httpVersion: "2", useBinaryFormat: true }),
    ),
  };
});

afterAll(async () => {
  grpcJs.close();
  session.destroy();
  await upstream.close();
  await gateway.drain();
});

describe.each(SHAPE_NAMES.map((name, index) => ({ name, index })))("$name", ({ name, index }) => {
  test.each(CODES.map((row, at) => ({ ...row, at })))(
    "for $name means the same in every protocol",
    async (row) => {
      const shape = SHAPES[name];
      const operation = `${DATASET}/operations/${index}.${row.at}`;
      const seen = await Promise.all(Object.values(legs).map((leg) => leg(operation)));
      const [first] = seen;
      if (!first || !shape) throw new Error("nothing was seen");
      for (const [at, other] of seen.entries()) expect(other, Object.keys(legs)[at]).toEqual(first);
      expect(Code[first.code]).toBe(Code[shape.code(row)]);
      expect(first.metadata["x-request-id"]).toBe(REQUEST_ID);
      expect(first.message.replace(" (the request was cancelled, not the operation)", "")).toMatch(
        shape.message,
      );
      expect(first.metadata["lro-upstream-status"]).toBe(String(row.http));
      expect(first.metadata["lro-upstream-request-id"]).toBe(`req-${index}.${row.at}`);
      const wanted = (shape.details ?? [])
        .map((detail) => typeOf(detail))
        .filter((type) => type !== ErrorInfoSchema.typeName);
      const types = first.details.map(([type]) => type).filter((type) => type !== ErrorInfoSchema.typeName);
      expect(types.slice(0, wanted.length)).toEqual(wanted);
      expect(first.details.filter(([type]) => type === ErrorInfoSchema.typeName)).toHaveLength(1);
      if (row.http === 503) expect(types).toContain("google.rpc.RetryInfo");
      expect(JSON.stringify(seen)).not.toContain(TOKEN);
    },
  );
});

test("a gzipped body is the same error", async () => {
  for (const [at, row] of CODES.entries()) {
    const leg = legs["Connect JSON"];
    const plain = await leg?.(`${DATASET}/operations/0.${at}`);
    expect(await leg?.(`${DATASET}/operations/0.${at}.gzip`), row.name).toEqual(plain);
  }
});

test("gRPC's three ways to say a status say the same, byte for byte, in less than 6 KiB", async () => {
  for (const index of SHAPE_NAMES.keys())
    for (const at of CODES.keys()) {
      const headers = await rawTrailersOnly(`${DATASET}/operations/${index}.${at}`);
      const bin = Buffer.from(headers["grpc-status-details-bin"] ?? "", "base64");
      const status = fromBinary(StatusSchema, bin);
      expect(String(status.code)).toBe(headers["grpc-status"]);
      expect(status.message).toBe(decodeURIComponent(headers["grpc-message"] ?? ""));
      const bytes = Object.entries(headers).reduce(
        (sum, [name, value]) => sum + 32 + name.length + value.length,
        0,
      );
      expect(bytes).toBeLessThan(6 * 1024);
    }
});

function viaConnect(transport: Transport): (name: string) => Promise<Seen> {
  const client = createClient(Operations, transport);
  return async (name) => {
    try {
      await client.getOperation(
        { name },
        { headers: { authorization: `Bearer ${TOKEN}`, "x-request-id": REQUEST_ID } },
      );
    } catch (error) {
      if (!(error instanceof ConnectError)) throw error;
      return {
        code: error.code,
        message: error.rawMessage,
        details: error.details.map((detail) => {
          if ("desc" in detail) throw new Error("a detail from the wire has bytes");
          return [detail.type, Buffer.from(detail.value).toString("base64")];
        }),
        metadata: Object.fromEntries(METADATA.map((key) => [key, error.metadata.get(key)])),
      };
    }
    throw new Error("the call succeeded");
  };
}

function viaGrpcJs(name: string): Promise<Seen> {
  const metadata = new grpc.Metadata();
  metadata.set("authorization", `Bearer ${TOKEN}`);
  metadata.set("x-request-id", REQUEST_ID);
  return new Promise((resolve, reject) => {
    grpcJs.makeUnaryRequest(
      "/google.longrunning.Operations/GetOperation",
      (request: Uint8Array) => Buffer.from(request),
      (answer) => answer,
      toBinary(GetOperationRequestSchema, create(GetOperationRequestSchema, { name })),
      metadata,
      (error) => {
        if (!error) return reject(new Error("the call succeeded"));
        const [bin] = error.metadata.get("grpc-status-details-bin");
        const status = fromBinary(StatusSchema, Buffer.from(bin ?? ""));
        resolve({
          // The two enumerations are google.rpc.Code both.
          code: Number(error.code),
          message: error.details,
          details: status.details.map(({ typeUrl, value }) => [
            typeUrl.slice(typeUrl.lastIndexOf("/") + 1),
            Buffer.from(value).toString("base64"),
          ]),
          metadata: Object.fromEntries(
            METADATA.map((key) => [key, error.metadata.get(key).map(String).join(", ") || null]),
          ),
        });
      },
    );
  });
}

/** The one header block of a gRPC answer that has no message, with its names and values as they came. */
function rawTrailersOnly(name: string): Promise<Record<string, string>> {
  const message = toBinary(GetOperationRequestSchema, create(GetOperationRequestSchema, { name }));
  const stream = session.request({
    ":method": "POST",
    ":path": "/google.longrunning.Operations/GetOperation",
    "content-type": "application/grpc",
    te: "trailers",
    authorization: `Bearer ${TOKEN}`,
  });
  stream.end(Buffer.concat([Buffer.from([0, 0, 0, 0, message.length]), message]));
  return new Promise((resolve, reject) => {
    stream.on("error", reject);
    stream.on("trailers", () => reject(new Error("not Trailers-Only")));
    stream.on("response", (headers) => {
      const entries = Object.entries(headers).map(([key, value]) => [key, String(value)]);
      resolve(Object.fromEntries(entries));
    });
    stream.resume();
  });
}

function typeOf(detail: JsonValue): string {
  const type =
    typeof detail === "object" && detail !== null && !Array.isArray(detail) ? detail["@type"] : undefined;
  return String(type).replace("type.googleapis.com/", "");
}
