import { connect } from "node:net";
import type { Emulator, EmulatorAnswer } from "../../src/emulator/emulator.ts";
import { Silence } from "../support/silence.ts";

/** The dataset that tests put their operations into. */
export const DATASET = "projects/p/locations/l/datasets/d";

/** An operation as the API shows it, as far as tests look. */
export interface OperationJson {
  name: string;
  done?: boolean;
  error?: { code: number; message: string; details?: Record<string, unknown>[] };
  response?: { "@type": string } & Record<string, unknown>;
  metadata: {
    "@type": string;
    apiMethodName: string;
    createTime: string;
    endTime?: string;
    cancelRequested?: boolean;
    logsUrl?: string;
    counter?: Record<string, string>;
  };
}

/** An error body as the API sends it. */
export interface ErrorJson {
  error: { code: number; message: string; status: string; details?: Record<string, unknown>[] };
}

/** Sends one request to an emulator without a socket. */
export function send(
  emulator: Emulator,
  verb: string,
  target: string,
  { headers = {}, body = "" }: { headers?: Record<string, string>; body?: string } = {},
): Promise<EmulatorAnswer> {
  const bytes = new TextEncoder().encode(body);
  const length = verb === "GET" ? {} : { "content-length": String(bytes.length) };
  return emulator.handle({ verb, target, headers: { host: "emulator", ...length, ...headers }, body: bytes });
}

/** The body of an answer as text. */
export function textOf(answer: EmulatorAnswer): string {
  return new TextDecoder().decode(answer.body);
}

/** The body of an answer as JSON of an expected form; the test that reads it fails where it has another. */
export function jsonOf<T>(answer: EmulatorAnswer): T {
  return JSON.parse(textOf(answer)) as T;
}

/** Writes raw bytes to a server and returns all that comes back until the connection ends or `ms` pass in silence. */
export function rawExchange(
  endpoint: string,
  request: string,
  ms = 1_500,
): Promise<{ text: string; error?: string }> {
  const { hostname, port } = new URL(endpoint);
  return new Promise((resolve) => {
    let text = "";
    const socket = connect(Number(port), hostname, () => socket.write(request));
    socket.setEncoding("latin1");
    const silence = new Silence(ms, () => socket.destroy());
    socket.on("data", (chunk) => {
      silence.heard();
      text += chunk;
    });
    let error: string | undefined;
    socket.on("error", (cause: NodeJS.ErrnoException) => {
      error = cause.code;
    });
    socket.on("close", () => {
      silence.stop();
      resolve(error === undefined ? { text } : { text, error });
    });
  });
}
