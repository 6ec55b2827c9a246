import { create } from "@bufbuild/protobuf";
import { ConnectError } from "@connectrpc/connect";
import { BadRequestSchema } from "../../gen/google/rpc/error_details_pb.ts";
import { errorOf } from "../errors/thrown.ts";

/**
 * The refusal of a list in the words of a request that has `parent` where ListOperations has `name`: the field that a
 * BadRequest names is one that the caller has sent. Any other error stays as it is.
 */
export function aboutParent(cause: unknown): ConnectError {
  const error = errorOf(cause);
  const violations = error.findDetails(BadRequestSchema).flatMap(({ fieldViolations }) => fieldViolations);
  if (!violations.some(({ field }) => field === "name")) return error;
  const renamed = new ConnectError(parentFor(error.rawMessage), error.code, error.metadata);
  renamed.cause = error.cause;
  const fieldViolations = violations.map(({ field, description }) => ({
    field: field === "name" ? "parent" : field,
    description: parentFor(description),
  }));
  renamed.details = error.details.map((detail) =>
    "desc" in detail && detail.desc.typeName === BadRequestSchema.typeName
      ? { desc: BadRequestSchema, value: create(BadRequestSchema, { fieldViolations }) }
      : detail,
  );
  return renamed;
}

function parentFor(text: string): string {
  return text.replace(/^name /, "parent ");
}
