import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

/** An upstream that answers every request with an operation that runs, after a while. */
export interface SlowUpstream {
  readonly endpoint: string;
  /** Requests that have come. */
  readonly asked: number;
  close(): Promise<void>;
}

/** Starts one whose answers take `delayMs`, so that calls are under way whenever something happens. */
export async function startSlowUpstream(delayMs: number): Promise<SlowUpstream> {
  let asked = 0;
  const server = createServer((request, response) => {
    asked++;
    request.resume();
    setTimeout(() => {
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify({ name: OPERATION }));
    }, delayMs);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    // The server listens on TCP.
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get asked() {
      return asked;
    },
    close() {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

/** The operation that it tells of. */
export const OPERATION = "projects/p/locations/l/datasets/d/operations/1";
