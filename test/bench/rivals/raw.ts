/**
 * The raw limit: what Node can do for this job at best. Bare `node:http2` and `node:http`, undici's dispatch over a
 * pool of keep-alive connections, a codec written by hand; no deadline, no limit, no check, no error. `node raw.ts
 * UPSTREAM_PORT`, and for HTTP/2 over TLS `node raw.ts UPSTREAM_PORT CERTIFICATE KEY`.
 */
import { readFileSync } from "node:fs";
import { createServer as createHttp1 } from "node:http";
import { createServer as createHttp2, createSecureServer, type ServerHttp2Stream } from "node:http2";
import { type Dispatcher, Pool } from "undici";
import { encodeListJson, encodeOperationJson, readName } from "./hand-codec.ts";
import { listen, sayWhere } from "./listen.ts";

const pool = new Pool(`http://127.0.0.1:${process.argv[2]}`, { connections: 64, pipelining: 1 });
const POST_HEADERS = ["accept", "application/json"];
const NOTHING = Buffer.alloc(0);

/** Collects one answer and hands its body on. */
class Exchange implements Dispatcher.DispatchHandler {
  private readonly done: (body: Buffer) => void;
  private chunks: Buffer[] = [];

  constructor(done: (body: Buffer) => void) {
    this.done = done;
  }

  onRequestStart(): void {}
  onResponseStart(_: unknown, status: number): void {
    if (status !== 200) throw new Error(`the upstream answered ${status}`);
  }

  onResponseData(_: unknown, chunk: Buffer): void {
    this.chunks.push(chunk);
  }

  onResponseEnd(): void {
    this.done(this.chunks.length === 1 ? this.chunks[0]! : Buffer.concat(this.chunks));
  }

  onResponseError(_: unknown, error: Error): void {
    throw error;
  }
}

/** Does the job: the message's bytes in, the answer's bytes out. */
function call(path: string, name: string, done: (answer: Buffer) => void): void {
  if (path.endsWith("/CancelOperation")) send("POST", `/v1beta1/${name}:cancel`, () => done(NOTHING));
  else if (path.endsWith("/GetOperation"))
    send("GET", `/v1beta1/${name}`, (body) => done(encodeOperationJson(body.toString("latin1"))));
  else
    send("GET", `/v1beta1/${name}/operations?pageSize=20`, (body) =>
      done(encodeListJson(body.toString("latin1"))),
    );
}

function send(method: "GET" | "POST", path: string, done: (body: Buffer) => void): void {
  pool.dispatch({ path, method, headers: POST_HEADERS, body: null }, new Exchange(done));
}

const GRPC = { "content-type": "application/grpc" };
const GRPC_WEB = { "content-type": "application/grpc-web+proto" };
const PROTO = { "content-type": "application/proto" };
const TRAILERS = { "grpc-status": "0" };
const WITH_TRAILERS = { waitForTrailers: true };
const WEB_TRAILERS = Buffer.from("\x80\0\0\0\x10grpc-status: 0\r\n", "latin1");

function envelope(message: Buffer, after = NOTHING): Buffer {
  const whole = Buffer.allocUnsafe(5 + message.length + after.length);
  whole[0] = 0;
  whole.writeUInt32BE(message.length, 1);
  message.copy(whole, 5);
  after.copy(whole, 5 + message.length);
  return whole;
}

const [certificate, key] = process.argv.slice(3);
const secure =
  certificate && key
    ? createSecureServer({ cert: readFileSync(certificate), key: readFileSync(key) })
    : undefined;
const http2 = secure ?? createHttp2();
http2.on("stream", (stream: ServerHttp2Stream, headers) => {
  const path = headers[":path"]!;
  const type = headers["content-type"];
  stream.on("data", (chunk: Buffer) => {
    if (type === "application/proto")
      call(path, readName(chunk, 0), (answer) => {
        stream.respond(PROTO);
        stream.end(answer);
      });
    else if (type === "application/grpc")
      call(path, readName(chunk, 5), (answer) => {
        stream.on("wantTrailers", sendTrailers);
        stream.respond(GRPC, WITH_TRAILERS);
        stream.end(envelope(answer));
      });
    else
      call(path, readName(chunk, 5), (answer) => {
        stream.respond(GRPC_WEB);
        stream.end(envelope(answer, WEB_TRAILERS));
      });
  });
});

function sendTrailers(this: ServerHttp2Stream): void {
  this.sendTrailers(TRAILERS);
}

const http1 = createHttp1((request, response) => {
  const path = request.url!;
  const json = request.headers["content-type"] === "application/json";
  request.on("data", (chunk: Buffer) => {
    const name = json ? JSON.parse(chunk.toString("latin1")).name : readName(chunk, 0);
    call(path, name, (answer) => {
      const body = json ? "{}" : answer;
      response.writeHead(200, {
        "content-type": json ? "application/json" : "application/proto",
        "content-length": body.length,
      });
      response.end(body);
    });
  });
});

if (secure) sayWhere(secure.listen(0, "127.0.0.1"));
else listen(http1, http2);
