import { isDone, type OperationRecord } from "./operation.ts";

/** Decides whether an operation is in the list. */
export type Filter = (operation: OperationRecord, at: number) => boolean;

/**
 * Parses a list filter. Google documents no grammar for Healthcare; this subset of AIP-160 is what the emulator knows:
 * `done=true`, `done = false`, `done`, `NOT done`, `-done`, and
 * `metadata.apiMethodName="..."` (or `:` for "contains"), joined by `AND`. Empty matches everything.
 *
 * Returns `undefined` for anything else, which the API answers with INVALID_ARGUMENT.
 */
export function parseFilter(text: string): Filter | undefined {
  if (text.trim() === "") return () => true;
  const terms = text.trim().split(/\sAND\s/);
  const filters: Filter[] = [];
  for (const term of terms) {
    const filter = parseTerm(term.trim());
    if (!filter) return undefined;
    filters.push(filter);
  }
  return (operation, at) => filters.every((filter) => filter(operation, at));
}

function parseTerm(term: string): Filter | undefined {
  const done = /^(NOT\s+|-)?done(?:\s*[=:]\s*"?(true|false)"?)?$/.exec(term);
  if (done) {
    const wanted = (done[2] !== "false") !== (done[1] !== undefined);
    return (operation, at) => isDone(operation, at) === wanted;
  }
  const method = /^metadata\.(?:apiMethodName|api_method_name)\s*([=:])\s*"?([\w.]+)"?$/.exec(term);
  if (method) {
    const wanted = method[2] ?? "";
    return (operation) => {
      const name = `google.cloud.healthcare.${operation.version}.${operation.kind.method}`;
      return method[1] === "=" ? name === wanted : name.includes(wanted);
    };
  }
  return undefined;
}
