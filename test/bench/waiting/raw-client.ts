import { type ClientHttp2Session, connect } from "node:http2";
import { type DescMethod, fromBinary, type Message, toBinary } from "@bufbuild/protobuf";
import { PROTOCOLS } from "./world.ts";

/** Connections that calls are spread over; ten thousand streams are a hundred on each, which is what one takes. */
export const CONNECTIONS = 100;

/** A call as a bare HTTP/2 exchange: the time of the client library must not count as the gateway's. */
export interface RawCall {
  /** Resolves with the first bytes of the answer. */
  readonly first: Promise<void>;
  /** Resolves with the moment of the second piece of the answer: in a stream, of the first change. */
  readonly second: Promise<number>;
  /** Resolves when the answer is complete, with the moment of its last message and all messages. */
  readonly end: Promise<{ readonly at: number; readonly messages: Message[] }>;
}

/** Opens the connections, and calls on them. */
export function rawClient(address: string) {
  const sessions = Array.from({ length: CONNECTIONS }, () => connect(`http://${address}`).setMaxListeners(0));
  return {
    /** The `n`th call goes over the `n`th connection (in a circle), in the `n`th protocol (in another). */
    call: (n: number, method: DescMethod, request: Message) =>
      open(
        sessions[n % CONNECTIONS] as ClientHttp2Session,
        PROTOCOLS[n % PROTOCOLS.length] ?? "gRPC",
        method,
        request,
      ),
    close() {
      for (const session of sessions) session.destroy();
    },
  };
}

function open(
  session: ClientHttp2Session,
  protocol: (typeof PROTOCOLS)[number],
  method: DescMethod,
  request: Message,
): RawCall {
  const connectUnary = protocol === "Connect" && method.methodKind === "unary";
  const stream = session.request({
    ":method": "POST",
    ":path": `/${method.parent.typeName}/${method.name}`,
    "content-type":
      protocol === "gRPC"
        ? "application/grpc+proto"
        : protocol === "gRPC-Web"
          ? "application/grpc-web+proto"
          : connectUnary
            ? "application/proto"
            : "application/connect+proto",
    ...(protocol === "gRPC" && { te: "trailers" }),
  });
  const bytes = toBinary(method.input, request);
  stream.end(connectUnary ? bytes : enveloped(bytes));
  const chunks: Buffer[] = [];
  let at = Number.NaN;
  const first = Promise.withResolvers<void>();
  const second = Promise.withResolvers<number>();
  const end = Promise.withResolvers<{ at: number; messages: Message[] }>();
  stream.on("data", (chunk: Buffer) => {
    first.resolve();
    at = Date.now();
    chunks.push(chunk);
    if (chunks.length === 2) second.resolve(at);
  });
  stream.on("error", end.reject);
  stream.on("end", () => {
    const all = Buffer.concat(chunks);
    const messages = connectUnary ? [all] : messagesIn(all);
    end.resolve({ at, messages: messages.map((message) => fromBinary(method.output, message)) });
  });
  // A stream that is cut by the bench itself is nobody's failure.
  end.promise.catch(() => {});
  return { first: first.promise, second: second.promise, end: end.promise };
}

function enveloped(message: Uint8Array): Buffer {
  const frame = Buffer.alloc(5 + message.length);
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, 5);
  return frame;
}

/** Flags of an envelope that is no message: trailers of gRPC-Web, the end of a Connect stream. */
const NO_MESSAGE = 0x80 | 0x02;

function messagesIn(frames: Buffer): Buffer[] {
  const messages: Buffer[] = [];
  for (let at = 0; at + 5 <= frames.length; ) {
    const length = frames.readUInt32BE(at + 1);
    if (((frames[at] ?? 0) & NO_MESSAGE) === 0) messages.push(frames.subarray(at + 5, at + 5 + length));
    at += 5 + length;
  }
  return messages;
}
