import type { DescFile, DescService, Registry } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import {
  ServerReflection,
  type ServerReflectionRequest,
} from "../../gen/grpc/reflection/v1/reflection_pb.ts";
import {
  ServerReflection as ServerReflectionAlpha,
  type ServerReflectionRequest as ServerReflectionRequestAlpha,
} from "../../gen/grpc/reflection/v1alpha/reflection_pb.ts";
import type { ConnectEsRoutes } from "../rpc/connect-es/routes.ts";
import { DescriptorIndex } from "./descriptor-index.ts";

/**
 * `grpc.reflection.v1.ServerReflection` and its `v1alpha` twin, which old clients ask
 * (https://github.com/grpc/grpc/blob/master/doc/server-reflection.md).
 *
 * @param services What `list_services` tells, besides the two reflection services themselves.
 * @param types Types that no service mentions but an Any may hold: grpcurl looks each of them up to print it.
 */
export function reflectionRoutes(services: readonly DescService[], types: Registry): ConnectEsRoutes {
  const listed = [...services, ServerReflection, ServerReflectionAlpha];
  let index: DescriptorIndex | undefined;
  const newStream = () => {
    // Made by the first caller: most processes are never asked, and none should start later for it.
    index ??= new DescriptorIndex(listed, types);
    return new ReflectionStream(listed, index);
  };
  return {
    methods: [...ServerReflection.methods, ...ServerReflectionAlpha.methods],
    register(router) {
      router.service(ServerReflection, {
        async *serverReflectionInfo(requests) {
          const stream = newStream();
          for await (const request of requests)
            yield { ...echo(request), messageResponse: stream.answer(request) };
        },
      });
      router.service(ServerReflectionAlpha, {
        async *serverReflectionInfo(requests) {
          const stream = newStream();
          for await (const request of requests)
            yield { ...echo(request), messageResponse: stream.answer(request) };
        },
      });
    },
  };
}

/** The two versions differ in their package only. */
type Request = ServerReflectionRequest | ServerReflectionRequestAlpha;

type Answer =
  | { case: "fileDescriptorResponse"; value: { fileDescriptorProto: Uint8Array[] } }
  | { case: "allExtensionNumbersResponse"; value: { baseTypeName: string; extensionNumber: number[] } }
  | { case: "listServicesResponse"; value: { service: { name: string }[] } }
  | { case: "errorResponse"; value: { errorCode: Code; errorMessage: string } };

function echo<R extends Request>(request: R): { validHost: string; originalRequest: R } {
  return { validHost: request.host, originalRequest: request };
}

/** The questions of one caller: files that it has got already are not sent to it again as imports of others. */
class ReflectionStream {
  readonly #services: readonly DescService[];
  readonly #index: DescriptorIndex;
  readonly #sent = new Set<DescFile>();

  constructor(services: readonly DescService[], index: DescriptorIndex) {
    this.#services = services;
    this.#index = index;
  }

  /** Throws INVALID_ARGUMENT, which ends the stream, for a request that asks nothing. */
  answer({ messageRequest: question }: Request): Answer {
    switch (question.case) {
      case "fileByFilename":
        return this.#file(this.#index.byPath(question.value), `file "${question.value}"`);
      case "fileContainingSymbol":
        return this.#file(this.#index.bySymbol(question.value), `symbol "${question.value}"`);
      case "fileContainingExtension": {
        const { containingType, extensionNumber } = question.value;
        const file = this.#index.byExtension(containingType, extensionNumber);
        return this.#file(file, `extension ${extensionNumber} of "${containingType}"`);
      }
      case "allExtensionNumbersOfType": {
        const numbers = this.#index.extensionNumbers(question.value);
        if (!numbers) return notFound(`message "${question.value}"`);
        const value = { baseTypeName: question.value, extensionNumber: [...numbers] };
        return { case: "allExtensionNumbersResponse", value };
      }
      case "listServices": {
        const service = this.#services.map(({ typeName }) => ({ name: typeName }));
        return { case: "listServicesResponse", value: { service } };
      }
      case undefined:
        throw new ConnectError("reflection: message_request is not set", Code.InvalidArgument);
    }
  }

  /** The file itself, always, and then what it imports, directly or not, unless sent before. */
  #file(file: DescFile | undefined, what: string): Answer {
    if (!file) return notFound(what);
    const files = new Set([file]);
    // A Set hands out what is added to it during the loop.
    for (const { dependencies } of files)
      for (const imported of dependencies) if (!this.#sent.has(imported)) files.add(imported);
    for (const one of files) this.#sent.add(one);
    const fileDescriptorProto = Array.from(files, (one) => this.#index.encode(one));
    return { case: "fileDescriptorResponse", value: { fileDescriptorProto } };
  }
}

function notFound(what: string): Answer {
  const value = { errorCode: Code.NotFound, errorMessage: `reflection: no ${what} here` };
  return { case: "errorResponse", value };
}
