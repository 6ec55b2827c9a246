/** How deep the causes of an error are followed. */
const MAX_CAUSES = 5;

/** The system's error code (`ECONNREFUSED`) of an error or of the nearest of its causes that has one. */
export function systemCode(error: unknown): string | undefined {
  let cause = error;
  for (let depth = 0; cause instanceof Error && depth < MAX_CAUSES; depth++) {
    if ("code" in cause && typeof cause.code === "string") return cause.code;
    cause = cause.cause;
  }
  return undefined;
}
