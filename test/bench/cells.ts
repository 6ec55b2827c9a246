import { create, type DescMessage, type MessageShape, toBinary, toJsonString } from "@bufbuild/protobuf";
import {
  CancelOperationRequestSchema,
  GetOperationRequestSchema,
  ListOperationsRequestSchema,
} from "../../gen/google/longrunning/operations_pb.ts";
import { OPERATION_ID } from "./answers.ts";

export type Method = "CancelOperation" | "GetOperation" | "ListOperations";
export type Carrier = "grpc" | "grpc-tls" | "grpc-web" | "connect-h2" | "connect-h1" | "connect-json-h1";

/** A method over a protocol: what one line of the table measures. */
export interface Cell {
  readonly method: Method;
  readonly carrier: Carrier;
}

export const CELLS: readonly Cell[] = [
  { method: "CancelOperation", carrier: "grpc" },
  { method: "CancelOperation", carrier: "grpc-tls" },
  { method: "CancelOperation", carrier: "grpc-web" },
  { method: "CancelOperation", carrier: "connect-h2" },
  { method: "CancelOperation", carrier: "connect-h1" },
  { method: "CancelOperation", carrier: "connect-json-h1" },
  { method: "GetOperation", carrier: "grpc" },
  { method: "ListOperations", carrier: "grpc" },
];

/** The cell that parts measure that are about something else than methods and carriers. */
export const CANCEL: Cell = { method: "CancelOperation", carrier: "grpc" };

export function cellName({ method, carrier }: Cell): string {
  return `${method.replace("Operations", "").replace("Operation", "")} ${carrier}`;
}

/** As many names as are never in flight together: calls about one operation at the same time would be shared. */
const NAMES = 4096;

/** How a carrier writes calls. */
export interface Wire {
  readonly http: 1 | 2;
  /** Whether over TLS, where ALPN chooses HTTP/2. */
  readonly tls: boolean;
  readonly contentType: string;
  readonly json: boolean;
  /** Whether a message stands in an envelope. */
  readonly enveloped: boolean;
  readonly headers: Readonly<Record<string, string>>;
}

/** Every call has a deadline, as calls of real clients do. */
export const WIRES: Readonly<Record<Carrier, Wire>> = {
  grpc: wire(2, "application/grpc", { te: "trailers", "grpc-timeout": "10S" }),
  "grpc-tls": {
    ...wire(2, "application/grpc", { te: "trailers", "grpc-timeout": "10S" }),
    tls: true,
  },
  "grpc-web": wire(2, "application/grpc-web+proto", { "x-grpc-web": "1", "grpc-timeout": "10S" }),
  "connect-h2": wire(2, "application/proto", {
    "connect-protocol-version": "1",
    "connect-timeout-ms": "10000",
  }),
  "connect-h1": wire(1, "application/proto", {
    "connect-protocol-version": "1",
    "connect-timeout-ms": "10000",
  }),
  "connect-json-h1": wire(1, "application/json", {
    "connect-protocol-version": "1",
    "connect-timeout-ms": "10000",
  }),
};

function wire(http: 1 | 2, contentType: string, headers: Readonly<Record<string, string>>): Wire {
  return {
    http,
    tls: false,
    contentType,
    json: contentType === "application/json",
    enveloped: contentType.startsWith("application/grpc"),
    headers,
  };
}

/** Path of the calls of a cell. */
export function pathOf({ method }: Cell): string {
  return `/google.longrunning.Operations/${method}`;
}

/** Bodies of the calls of a cell, each with a name of its own; `first` tells the names of several senders apart. */
export function requestBodies({ method, carrier }: Cell, count = NAMES, first = 0): Buffer[] {
  return Array.from({ length: count }, (_, n) => {
    const parent = `projects/p/locations/l/datasets/d${1_000_000 + first + n}`;
    const name = `${parent}/operations/${OPERATION_ID}`;
    switch (method) {
      case "CancelOperation":
        return encode(CancelOperationRequestSchema, create(CancelOperationRequestSchema, { name }), carrier);
      case "GetOperation":
        return encode(GetOperationRequestSchema, create(GetOperationRequestSchema, { name }), carrier);
      default:
        return encode(
          ListOperationsRequestSchema,
          create(ListOperationsRequestSchema, { name: parent, pageSize: 20 }),
          carrier,
        );
    }
  });
}

function encode<Desc extends DescMessage>(desc: Desc, message: MessageShape<Desc>, carrier: Carrier): Buffer {
  const { json, enveloped } = WIRES[carrier];
  const bytes = json ? Buffer.from(toJsonString(desc, message)) : Buffer.from(toBinary(desc, message));
  if (!enveloped) return bytes;
  const head = Buffer.alloc(5);
  head.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}
