/**
 * The upstream of the bench: `node upstream.ts`, or {@link createUpstream} in the generator's own process. Answers each
 * REST request of the bench with the same bytes and counts it. It works on the sockets themselves, because it shares a
 * core with the generator and must not be what the server under test waits for. A request that is none of the three, or
 * that has no blank line where one belongs, is answered 400, which fails the round.
 */
import { createServer, type Server, type Socket } from "node:net";
import { CANCEL_BODY, GET_BODY, LIST_BODY } from "./answers.ts";
import { sayWhere } from "./rivals/listen.ts";

const NAME = "projects/p/locations/l/datasets/d[0-9]+";
const ROUTES: readonly (readonly [RegExp, Buffer])[] = [
  [new RegExp(`^POST /v1beta1/${NAME}/operations/[0-9]+:cancel HTTP`), respond(200, CANCEL_BODY)],
  [new RegExp(`^GET /v1beta1/${NAME}/operations/[0-9]+ HTTP`), respond(200, GET_BODY)],
  [new RegExp(`^GET /v1beta1/${NAME}/operations\\?(?:pageSize|page_size)=20 HTTP`), respond(200, LIST_BODY)],
];
const REFUSED = respond(
  400,
  '{"error":{"code":400,"message":"no request of the bench","status":"INVALID_ARGUMENT"}}',
);

let count = 0;

/** How many requests all upstreams of this process have answered. */
export function answered(): number {
  return count;
}

/** An upstream that does not listen yet. */
export function createUpstream(): Server {
  return createServer({ noDelay: true }, (socket) => {
    let rest = "";
    socket.setEncoding("latin1");
    socket.on("error", () => {});
    socket.on("data", (text: string) => {
      rest = takeRequests(socket, rest + text);
    });
  });
}

if (import.meta.main) sayWhere(createUpstream().listen(0, "127.0.0.1"));

/** Answers every complete request, and returns the beginning of one that is not. */
function takeRequests(socket: Socket, text: string): string {
  let at = 0;
  for (;;) {
    const end = text.indexOf("\r\n\r\n", at);
    if (end < 0) return text.slice(at);
    const head = text.slice(at, end);
    const next = end + 4 + bodyLength(head, text, end + 4);
    if (!(next <= text.length)) return text.slice(at);
    at = next;
    if (head.startsWith("GET /count ")) socket.write(respond(200, String(count)));
    else {
      count++;
      socket.write(ROUTES.find(([route]) => route.test(head))?.[1] ?? REFUSED);
    }
  }
}

/** How long the body is, `NaN` while a chunked one has not ended. Bodies hold no blank line but the last. */
function bodyLength(head: string, text: string, start: number): number {
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
  if (length !== undefined) return Number(length);
  if (!/\r\ntransfer-encoding: *chunked/i.test(head)) return 0;
  const end = text.startsWith("0\r\n\r\n", start) ? start : text.indexOf("\r\n0\r\n\r\n", start) + 2;
  return end < start ? Number.NaN : end + 5 - start;
}

function respond(status: number, body: string): Buffer {
  return Buffer.from(
    `HTTP/1.1 ${status} X\r\ncontent-type: application/json; charset=UTF-8\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}
