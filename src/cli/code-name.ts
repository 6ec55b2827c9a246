import { CodeSchema } from "../../gen/google/rpc/code_pb.ts";

/** The name of a google.rpc code, `NOT_FOUND` for 5; `code 99` for one that does not exist. */
export function codeName(code: number): string {
  return CodeSchema.values.find(({ number }) => number === code)?.name ?? `code ${code}`;
}
