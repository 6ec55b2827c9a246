import type { ConnectError } from "@connectrpc/connect";
import { gatewayError } from "../errors/reasons.ts";

/** The largest ListOperationsResponse that is answered: Python's and Java's gRPC clients refuse a larger message. */
export const LIST_MAX_BYTES = 4 * 1024 * 1024;

/**
 * A page from the upstream that comes to more than {@link LIST_MAX_BYTES}. Nothing is wrong with it: whoever asked for
 * it can ask again with {@link ListTooLarge.pageSize}, the other parameters unchanged.
 */
export class ListTooLarge extends Error {
  override readonly name = "ListTooLarge";
  /** Size of the page in protobuf bytes. */
  readonly bytes: number;
  /** Operations in it. */
  readonly operations: number;

  constructor(bytes: number, operations: number) {
    super(`a page of ${operations} operations has ${bytes} bytes`);
    this.bytes = bytes;
    this.operations = operations;
  }

  /** A page size that probably fits (half of what would, if all operations were equal); 0 when no smaller one exists. */
  get pageSize(): number {
    if (this.operations <= 1) return 0;
    return Math.max(1, Math.floor((this.operations * LIST_MAX_BYTES) / this.bytes / 2));
  }

  /** The answer when no smaller page was to be had. */
  toError(): ConnectError {
    const advice =
      this.pageSize === 0
        ? "read its operation with GetOperation"
        : `ask for page_size ${this.pageSize} or less`;
    return gatewayError(
      "LIST_TOO_LARGE",
      `the page has ${this.bytes} bytes, more than the ${LIST_MAX_BYTES} that clients accept; ${advice}`,
      { cause: this, metadata: { pageSize: String(this.pageSize) } },
    );
  }
}
