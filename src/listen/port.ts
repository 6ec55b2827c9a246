import { lstat, unlink } from "node:fs/promises";
import {
  connect as connectSocket,
  createServer,
  type ListenOptions,
  type Server,
  type Socket,
} from "node:net";
import { describeListenError, NOT_A_SOCKET, parseListenAddress } from "./address.ts";

/** Where the connections of a listener come from. */
export interface Port {
  /** `host:port` that is really listened on, or `unix:/path`. */
  readonly address: string;
  /** Takes no more connections. Resolves when the last one has been handed over. */
  close(): Promise<void>;
}

/** Opens a port; each of its connections is handed to `take`, unread. */
export type OpenPort = (take: (socket: Socket) => void) => Promise<Port>;

/**
 * Listens on `host:port`, brackets around an IPv6 address, port 0 for a free one; or on `unix:/path`. Rejects with an
 * Error that people can read when the port cannot be had.
 *
 * @param paused the sockets are not read at all, for whoever hands them to another process
 */
export async function openPort(
  listen: string,
  take: (socket: Socket) => void,
  { paused = false } = {},
): Promise<Port> {
  const server = createServer({ noDelay: true, pauseOnConnect: paused }, take);
  return {
    address: await bindTo(server, listen),
    async close() {
      // Connections that wait to be accepted would be reset; the events of this turn bring them in.
      await new Promise((resolve) => setImmediate(resolve));
      server.close();
    },
  };
}

async function bindTo(server: Server, where: string): Promise<string> {
  const address = parseListenAddress(where);
  if ("problem" in address) throw new Error(`listen: ${address.problem}`);
  try {
    if (address.kind === "unix") {
      await removeStaleSocket(address.path);
      await bind(server, { path: address.path });
      return where;
    }
    await bind(server, { host: address.host, port: address.port });
    const bound = server.address();
    const port = typeof bound === "object" && bound ? bound.port : address.port;
    return address.host.includes(":") ? `[${address.host}]:${port}` : `${address.host}:${port}`;
  } catch (error) {
    // Node rejects with system errors only, and removeStaleSocket with one that looks the same.
    throw new Error(describeListenError(where, error as NodeJS.ErrnoException), { cause: error });
  }
}

function bind(server: Server, where: ListenOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(where, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

/**
 * A socket file outlives a process that was killed; it is removed when nobody answers behind it. Nothing but a socket
 * is: a file refuses connections too, and may be somebody's data.
 */
async function removeStaleSocket(path: string): Promise<void> {
  const found = await lstat(path).catch(() => undefined);
  // What cannot be looked at, and what somebody listens behind: the attempt to bind says so in Node's own way.
  if (!found) return;
  if (!found.isSocket())
    throw Object.assign(new Error(`${path} exists and is not a socket`), { code: NOT_A_SOCKET });
  if (await isRefused(path)) await unlink(path);
}

function isRefused(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connectSocket(path);
    probe.once("connect", () => {
      probe.destroy();
      resolve(false);
    });
    probe.once("error", (error: NodeJS.ErrnoException) => resolve(error.code === "ECONNREFUSED"));
  });
}
