import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { Client, credentials, type ServiceError, status } from "@grpc/grpc-js";
import { GetOperationRequestSchema, OperationSchema } from "../../gen/google/longrunning/operations_pb.ts";
import { OPERATION } from "./slow-upstream.ts";

const METHOD = "/google.longrunning.Operations/GetOperation";

/** Callers that call one after the other, until they are stopped. */
export interface Load {
  /** Calls that were answered with what was asked for. */
  readonly answered: number;
  /** Everything else. */
  readonly failures: readonly string[];
  stop(): Promise<void>;
}

/** Runs `callers` loops over `call`, which rejects when a call has failed. */
function loop(callers: number, call: () => Promise<void>, done: () => void): Load {
  const failures: string[] = [];
  let answered = 0;
  let stopped = false;
  const run = async (): Promise<void> => {
    while (!stopped) {
      try {
        await call();
        answered++;
      } catch (error) {
        failures.push(String(error));
      }
    }
  };
  const all = Promise.all(Array.from({ length: callers }, run));
  return {
    get answered() {
      return answered;
    },
    failures,
    async stop() {
      stopped = true;
      await all;
      done();
    },
  };
}

/** Stock grpc-js, which knows all addresses and takes the first that it can connect to. */
export function grpcLoad(callers: number, addresses: readonly string[]): Load {
  const client = new Client(`ipv4:${addresses.join(",")}`, credentials.createInsecure(), {
    // Where an address refuses connections, the next one is tried at once and not after a second.
    "grpc.initial_reconnect_backoff_ms": 50,
  });
  const call = () =>
    new Promise<void>((resolve, reject) => {
      client.makeUnaryRequest(
        METHOD,
        (name: string) =>
          Buffer.from(toBinary(GetOperationRequestSchema, create(GetOperationRequestSchema, { name }))),
        (bytes: Buffer) => fromBinary(OperationSchema, bytes).name,
        OPERATION,
        (error: ServiceError | null, name?: string) => {
          if (error) reject(new Error(`${status[error.code]} ${error.details}`));
          else if (name !== OPERATION) reject(new Error(`another answer: ${name}`));
          else resolve();
        },
      );
    });
  return loop(callers, call, () => client.close());
}

/**
 * Stock fetch over kept connections. Only when no connection can be made does a caller go to the next address: refused,
 * or reset before it was accepted because the port was closed in that instant. No call was made then.
 */
export function fetchLoad(callers: number, addresses: readonly string[]): Load {
  let current = 0;
  const call = async (): Promise<void> => {
    const at = current;
    try {
      const response = await fetch(`http://${addresses[at]}${METHOD}`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ name: OPERATION }),
      });
      const text = await response.text();
      if (response.status !== 200 || !text.includes(OPERATION)) throw new Error(`${response.status} ${text}`);
    } catch (error) {
      const cause = error instanceof Error && error.cause instanceof Error ? error.cause : undefined;
      const connected = cause === undefined || !("syscall" in cause) || cause.syscall !== "connect";
      if (connected || at === addresses.length - 1) throw cause ?? error;
      current = Math.max(current, at + 1);
      await call();
    }
  };
  return loop(callers, call, () => {});
}
