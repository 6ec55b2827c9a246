import type { Origins } from "../config/load.ts";
import { ConfigurationRefused, formatProblem, type Problem } from "../config/problem.ts";
import { NOT_A_SOCKET } from "../listen/address.ts";
import { CommandError, EXIT } from "./exit-codes.ts";
import { systemCode } from "./system-code.ts";

/** Why an address cannot be listened on, by the system's error code, and what to do. */
const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE:
    "another process listens there; stop it, or choose another address with --listen HOST:PORT (port 0 takes a free one)",
  EACCES:
    "permission denied; ports below 1024 need privileges, so choose a higher one with --listen HOST:PORT",
  EADDRNOTAVAIL:
    "no network interface of this machine has this address; choose one that it has, e.g. 127.0.0.1",
  ENOTFOUND: "the host name is unknown; give an address, e.g. 127.0.0.1:8080",
  EAI_AGAIN: "the host name cannot be resolved now; give an address, e.g. 127.0.0.1:8080",
};

/** The same for `unix:/path`. */
const PATH_REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: "another process listens there; stop it, or choose another path with --listen unix:/PATH",
  [NOT_A_SOCKET]: "the path exists and is not a socket; choose another with --listen unix:/PATH",
  // libuv says EACCES for a directory that does not exist, too.
  EACCES: "its directory does not exist, or this user may not write there; choose another path",
  ENOTDIR: "a part of its path is not a directory; choose another path",
  EINVAL: "its path is too long for a socket; choose one of at most about 100 bytes",
};

/** Makes a failure to start one that the user can act on; any other error passes as it is. */
export function explainStartFailure(error: unknown, listen: string, origins: Origins = new Map()): unknown {
  if (error instanceof ConfigurationRefused) return refusal(locate(error.problems, origins));
  const reason = (listen.startsWith("unix:") ? PATH_REASONS : REASONS)[systemCode(error) ?? ""];
  return reason === undefined
    ? error
    : new CommandError(`cannot listen on ${listen}: ${reason}`, EXIT.CANNOT_START);
}

/** Says of each problem with a setting where its value comes from. */
function locate(problems: readonly Problem[], origins: Origins): Problem[] {
  return problems.map((problem) => ({ ...problem, where: origins.get(problem.path ?? "") ?? problem.where }));
}

/** The failure that tells every problem of a configuration. */
export function refusal(problems: readonly Problem[]): CommandError {
  const { length } = problems;
  const heading =
    length === 1 ? "the configuration has a mistake:" : `the configuration has ${length} mistakes:`;
  const lines = problems.map((problem) => `  ${formatProblem(problem)}`);
  return new CommandError([heading, ...lines].join("\n"), EXIT.USAGE);
}
