/** How deep the causes of an error are followed. */
const MAX_CAUSES = 5;

/** The system's error code (`ECONNREFUSED`) of an error or of the nearest of its causes that has one. */
export function systemCode(error: unknown): string | undefined {
  return systemCause(error)?.code;
}

/** An error with a code of the system, or of Node.js or OpenSSL. */
export type SystemError = Error & { readonly code: string };

/** An error, or the nearest of its causes, that has such a code. */
export function systemCause(error: unknown): SystemError | undefined {
  let cause = error;
  for (let depth = 0; cause instanceof Error && depth < MAX_CAUSES; depth++) {
    if ("code" in cause && typeof cause.code === "string") return cause as SystemError;
    cause = cause.cause;
  }
  return undefined;
}
