import type { Server as Http1Server } from "node:http";
import { createServer, type Server } from "node:net";

// In an orderly end Node writes the profile that it was asked for.
process.on("SIGTERM", () => process.exit());

/** Opens one port for HTTP/1.1 and HTTP/2 with prior knowledge, and says where. */
export function listen(http1: Http1Server, http2: Server): void {
  const server = createServer({ noDelay: true }, (socket) => {
    socket.once("data", (chunk: Buffer) => {
      socket.pause();
      socket.unshift(chunk);
      const isHttp1 = chunk.toString("latin1", 0, 3) !== "PRI";
      (isHttp1 ? http1 : http2).emit("connection", socket);
      if (isHttp1) socket.resume();
    });
  });
  sayWhere(server.listen(0, "127.0.0.1"));
}

/** Says where a server listens, once it does. */
export function sayWhere(server: Server): void {
  server.once("listening", () => {
    const address = server.address();
    console.log(`listening on 127.0.0.1:${typeof address === "object" && address ? address.port : ""}`);
  });
}
