import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";

/** An HTTP server that writes down what really arrives: verb and raw request target, before any parsing of URLs. */
export interface RecordingServer extends AsyncDisposable {
  readonly port: number;
  /** `POST /v1beta1/projects/…:cancel`, in the order of arrival. */
  readonly requests: string[];
}

/** Starts one on a free port of the loopback interface; it answers every request with 200 and no body. */
export async function startRecordingServer(): Promise<RecordingServer> {
  const requests: string[] = [];
  const server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`);
    response.writeHead(200, { "content-length": "0" }).end();
  });
  server.keepAliveTimeout = 60_000;
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    requests,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Requests that are on their way at once; more would only fill buffers. */
const PIPELINED = 256;

/**
 * Sends requests over one keep-alive socket exactly as they are, without an HTTP client that could mend or refuse a
 * target. Resolves when the server has seen them all.
 */
export async function sendRaw(
  server: RecordingServer,
  requests: readonly { verb: string; path: string; body: Uint8Array | undefined }[],
): Promise<void> {
  const socket = connect(server.port, "127.0.0.1").setNoDelay();
  const before = server.requests.length;
  let sent = 0;
  await new Promise<void>((resolve, reject) => {
    const send = () => {
      const batch = requests.slice(sent, sent + PIPELINED);
      sent += batch.length;
      socket.write(
        batch
          .map(({ verb, path, body }) => {
            const text = body ? new TextDecoder().decode(body) : "";
            return `${verb} ${path} HTTP/1.1\r\nHost: upstream\r\nContent-Length: ${text.length}\r\n\r\n${text}`;
          })
          .join(""),
      );
    };
    socket.on("error", reject).on("close", () => reject(new Error("the server closed the connection")));
    socket.on("data", (data) => {
      if (data.includes("HTTP/1.1 4")) reject(new Error(`refused: ${data}`));
      const arrived = server.requests.length - before;
      if (arrived === requests.length) resolve();
      else if (arrived === sent) send();
    });
    if (requests.length === 0) resolve();
    else send();
  });
  socket.removeAllListeners("close").destroy();
}
