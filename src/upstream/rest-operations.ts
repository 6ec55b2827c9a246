import { create, type DescMethod, type Message } from "@bufbuild/protobuf";
import {
  type ListOperationsRequest,
  ListOperationsRequestSchema,
  type ListOperationsResponse,
  type Operation,
  Operations,
} from "../../gen/google/longrunning/operations_pb.ts";
import { errorFromFailure, UpstreamFailure } from "../errors/from-failure.ts";
import type { Encoded } from "../lib/encoded.ts";
import { hasIdOf } from "../lib/operation-id.ts";
import type { Resolvers } from "../lib/resolvers.ts";
import type { RestRequest, RestResponse } from "../lib/rest.ts";
import { decodeOperation } from "../transcode/operation-codec.ts";
import { readAccepted } from "./cancel.ts";
import type { ReadAnswer } from "./execution.ts";
import { listPage } from "./list.ts";
import type { CheckedRequest, OperationsApi, UpstreamCall } from "./operations-api.ts";
import type { RestClient } from "./rest-client.ts";

/** Turns a call into its REST request; throws a ConnectError when it refuses or has no rule for the method. */
export interface Transcoder {
  transcode(method: DescMethod, message: Message): RestRequest;
}

/** The {@link OperationsApi} over REST: each method is transcode, send, decode. */
export class RestOperations implements OperationsApi {
  readonly #transcoder: Transcoder;
  readonly #client: RestClient;

  constructor(transcoder: Transcoder, client: RestClient) {
    this.#transcoder = transcoder;
    this.#client = client;
  }

  check(request: CheckedRequest): void {
    switch (request.method) {
      case "get":
        this.#named(Operations.method.getOperation, request.name);
        break;
      case "cancel":
        this.#named(Operations.method.cancelOperation, request.name);
        break;
      case "list":
        this.#transcoder.transcode(
          Operations.method.listOperations,
          create(ListOperationsRequestSchema, { name: request.name, filter: request.filter }),
        );
    }
  }

  get(name: string, call: UpstreamCall): Promise<Encoded<Operation>> {
    const settled = Promise.withResolvers<Encoded<Operation>>();
    const read = (response: RestResponse) => readOperation(response, name);
    this.#execute(Operations.method.getOperation, name, call, read, false, settled);
    return settled.promise;
  }

  async list(request: ListOperationsRequest, call: UpstreamCall): Promise<Encoded<ListOperationsResponse>> {
    try {
      return await listPage(
        request,
        (page) => this.#transcoder.transcode(Operations.method.listOperations, page),
        (page) => {
          const settled = Promise.withResolvers<RestResponse>();
          this.#client.execute(page, call, (response) => response, false, settled);
          return settled.promise;
        },
      );
    } catch (error) {
      throw decodeError(error);
    }
  }

  /**
   * Asks the upstream to cancel an operation: one POST. One that may have been carried out is never simply sent again;
   * a read has to come first, and that is the caller's to do (waiting/cancel/cancel-resolution.ts).
   */
  cancel(name: string, call: UpstreamCall, told: Resolvers<void>): void {
    this.#execute(Operations.method.cancelOperation, name, call, readAccepted, true, told);
  }

  delete(name: string, call: UpstreamCall): Promise<void> {
    const settled = Promise.withResolvers<void>();
    this.#execute(Operations.method.deleteOperation, name, call, ignoreAnswer, false, settled);
    return settled.promise;
  }

  #execute<T>(
    method: NamedMethod,
    name: string,
    call: UpstreamCall,
    read: ReadAnswer<T>,
    finishes: boolean,
    told: Resolvers<T>,
  ): void {
    let request: RestRequest;
    try {
      request = this.#named(method, name);
    } catch (error) {
      told.reject(error);
      return;
    }
    this.#client.execute(request, call, read, finishes, told);
  }

  /** The request of a method that takes a name and nothing else. */
  #named(method: NamedMethod, name: string): RestRequest {
    // What `create` would make, at a tenth of its cost: these messages have no other field.
    return this.#transcoder.transcode(method, { $typeName: method.input.typeName, name } as Message);
  }
}

type NamedMethod = (typeof Operations.method)["getOperation" | "cancelOperation" | "deleteOperation"];

function readOperation({ body }: RestResponse, name: string): Encoded<Operation> {
  try {
    const operation = decodeOperation(body);
    if (!hasIdOf(operation, name)) throw new UpstreamFailure("malformed", "it is about another operation");
    return operation;
  } catch (error) {
    throw decodeError(error);
  }
}

function ignoreAnswer(): void {}

function decodeError(error: unknown): unknown {
  return error instanceof UpstreamFailure ? errorFromFailure(error) : error;
}
