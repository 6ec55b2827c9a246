import { create, type DescMethod, type Message } from "@bufbuild/protobuf";
import { ConnectError } from "@connectrpc/connect";
import {
  CancelOperationRequestSchema,
  DeleteOperationRequestSchema,
  GetOperationRequestSchema,
  type ListOperationsRequest,
  ListOperationsRequestSchema,
  type ListOperationsResponse,
  type Operation,
  Operations,
} from "../../gen/google/longrunning/operations_pb.ts";
import { errorFromFailure, UpstreamFailure } from "../errors/from-failure.ts";
import type { Clock } from "../lib/clock.ts";
import type { Encoded } from "../lib/encoded.ts";
import { hasIdOf } from "../lib/operation-id.ts";
import type { RestRequest } from "../lib/rest.ts";
import { decodeOperation } from "../transcode/operation-codec.ts";
import { cancelOperation } from "./cancel.ts";
import { listPage } from "./list.ts";
import type { CheckedRequest, OperationsApi, UpstreamCall } from "./operations-api.ts";
import type { RestClient } from "./rest-client.ts";

/** Turns a call into its REST request; throws a ConnectError when it refuses or has no rule for the method. */
export interface Transcoder {
  transcode(method: DescMethod, message: Message): RestRequest;
}

/** The {@link OperationsApi} over REST: each method is transcode, send, decode. */
export class RestOperations implements OperationsApi {
  private readonly transcoder: Transcoder;
  private readonly client: RestClient;
  private readonly clock: Clock;

  constructor(transcoder: Transcoder, client: RestClient, clock: Clock) {
    this.transcoder = transcoder;
    this.client = client;
    this.clock = clock;
  }

  check(request: CheckedRequest): void {
    switch (request.method) {
      case "get":
        this.readRequest(request.name);
        break;
      case "cancel":
        this.cancelRequest(request.name);
        break;
      case "list":
        this.transcoder.transcode(
          Operations.method.listOperations,
          create(ListOperationsRequestSchema, { name: request.name, filter: request.filter }),
        );
    }
  }

  async get(name: string, call: UpstreamCall): Promise<Encoded<Operation>> {
    const response = await this.client.execute(this.readRequest(name), call);
    try {
      const operation = decodeOperation(response.body);
      if (!hasIdOf(operation, name)) throw new UpstreamFailure("malformed", "it is about another operation");
      return operation;
    } catch (error) {
      throw decodeError(error);
    }
  }

  async list(request: ListOperationsRequest, call: UpstreamCall): Promise<Encoded<ListOperationsResponse>> {
    try {
      return await listPage(
        request,
        (page) => this.transcoder.transcode(Operations.method.listOperations, page),
        (page) => this.client.execute(page, call),
      );
    } catch (error) {
      throw decodeError(error);
    }
  }

  cancel(name: string, call: UpstreamCall): Promise<void> {
    let cancel: RestRequest;
    try {
      cancel = this.cancelRequest(name);
    } catch (error) {
      return Promise.reject(error);
    }
    const read = () => this.readRequestIfAny(name);
    return cancelOperation(this.client, { name, cancel, read }, call, this.clock);
  }

  async delete(name: string, call: UpstreamCall): Promise<void> {
    const message = create(DeleteOperationRequestSchema, { name });
    await this.client.execute(this.transcoder.transcode(Operations.method.deleteOperation, message), call);
  }

  private readRequest(name: string): RestRequest {
    const message = create(GetOperationRequestSchema, { name });
    return this.transcoder.transcode(Operations.method.getOperation, message);
  }

  private cancelRequest(name: string): RestRequest {
    const message = create(CancelOperationRequestSchema, { name });
    return this.transcoder.transcode(Operations.method.cancelOperation, message);
  }

  private readRequestIfAny(name: string): RestRequest | undefined {
    try {
      return this.readRequest(name);
    } catch (error) {
      if (error instanceof ConnectError) return undefined;
      throw error;
    }
  }
}

function decodeError(error: unknown): unknown {
  return error instanceof UpstreamFailure ? errorFromFailure(error) : error;
}
