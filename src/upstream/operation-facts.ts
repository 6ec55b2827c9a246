import { idOf } from "../lib/operation-id.ts";

/** What an operation's JSON says about how it stands, as far as a cancel needs to know. */
export interface OperationFacts {
  /** `name`, or "" without one. */
  readonly name: string;
  readonly done: boolean;
  /** google.rpc code of `error`, or `undefined` without one. */
  readonly errorCode: number | undefined;
  /** Whether a cancel is on record: `cancelRequested` of Healthcare, `requestedCancellation` of many other APIs. */
  readonly cancelRequested: boolean;
  /** `metadata.endTime`, milliseconds since the Unix epoch. */
  readonly endTime: number | undefined;
}

/** Reads the facts from the body of a 200 to a Get. What is missing or of another shape counts as not said. */
export function operationFacts(body: Uint8Array): OperationFacts {
  const operation = record(parse(body));
  const metadata = record(operation["metadata"]);
  const code = record(operation["error"])["code"];
  const endTime = metadata["endTime"];
  const end = typeof endTime === "string" ? Date.parse(endTime) : Number.NaN;
  const name = operation["name"];
  return {
    name: typeof name === "string" ? name : "",
    done: operation["done"] === true,
    errorCode: typeof code === "number" ? code : undefined,
    cancelRequested: metadata["cancelRequested"] === true || metadata["requestedCancellation"] === true,
    endTime: Number.isNaN(end) ? undefined : end,
  };
}

/** Whether the facts may be of the operation that was asked for, by the rule of lib/operation-id.ts. */
export function isSameOperation({ name }: OperationFacts, asked: string): boolean {
  return name === "" || idOf(name) === idOf(asked);
}

function parse(body: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(body).toString());
  } catch {
    return undefined;
  }
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? Object.fromEntries(Object.entries(value)) : {};
}
