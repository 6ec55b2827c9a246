import type {
  DescMessage,
  DescMethodServerStreaming,
  DescMethodUnary,
  DescService,
  Message,
  MessageShape,
} from "@bufbuild/protobuf";
import type { ConnectError } from "@connectrpc/connect";
import type { Encoded } from "../lib/encoded.ts";
import type { Call } from "./call.ts";

/**
 * A server stream as a source that is pulled by whoever writes to the socket, when the socket takes more. A slow
 * reader therefore costs one waiting message, never a queue: the source decides what is latest.
 */
export interface ResponseStream<T extends Message = Message> {
  /** Called once, first. `wake` tells the writer that {@link pull} has something, or that the stream has ended. */
  open(wake: () => void): void;
  /** The next message, or `undefined` when there is none now. */
  pull(): T | Encoded<T> | undefined;
  /** Set once no message will come any more: OK when `error` is absent. */
  readonly end: { readonly error?: ConnectError } | undefined;
  /** The caller is gone or was cut: stop the work, forget the writer. */
  close(why: ConnectError): void;
}

/** What a unary handler answers. Errors are thrown as ConnectError. */
export type UnaryAnswer<T extends Message> = T | Encoded<T> | Promise<T | Encoded<T>>;

/** The handler of a unary method. */
export type UnaryHandler<I extends DescMessage = DescMessage, O extends DescMessage = DescMessage> = (
  request: MessageShape<I>,
  call: Call,
) => UnaryAnswer<MessageShape<O>>;

/** The handler of a server-streaming method. */
export type ServerStreamHandler<I extends DescMessage = DescMessage, O extends DescMessage = DescMessage> = (
  request: MessageShape<I>,
  call: Call,
) => ResponseStream<MessageShape<O>>;

/** The handlers of a service by method; a method without one answers UNIMPLEMENTED. */
export type ServiceHandlers<S extends DescService> = {
  readonly [K in keyof S["method"]]?: S["method"][K] extends DescMethodUnary<infer I, infer O>
    ? UnaryHandler<I, O>
    : S["method"][K] extends DescMethodServerStreaming<infer I, infer O>
      ? ServerStreamHandler<I, O>
      : never;
};

/** A service and its handlers, as the router takes them. Make one with {@link defineService}. */
export interface ServiceDefinition {
  readonly service: DescService;
  /** Keyed by `DescMethod.localName`. */
  readonly handlers: Readonly<Record<string, UnaryHandler | ServerStreamHandler | undefined>>;
}

/** Ties handlers to their service with their types checked. */
export function defineService<S extends DescService>(
  service: S,
  handlers: ServiceHandlers<S>,
): ServiceDefinition {
  // The mapped type has proven each handler against its method; the router keeps them by name without the types.
  return { service, handlers: handlers as ServiceDefinition["handlers"] };
}
