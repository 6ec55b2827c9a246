import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import type { TlsConfig } from "../config/config.ts";
import { formatHostPort, isAnyAddress, parseHostPort } from "../config/host-port.ts";
import { DEMO_DATASET } from "../emulator/operation-spec.ts";
import { commandLine } from "./command-line.ts";

/** A gateway that can be called. */
export interface Announced {
  /** `host:port` that is really listened on, or `unix:/path`. */
  readonly address: string;
  readonly tls: TlsConfig;
  /** How the user has called this program. */
  readonly program: string;
}

const METHOD = "google.longrunning.Operations/ListOperations";
const BODY = JSON.stringify({ name: DEMO_DATASET, pageSize: 3 });
const JSON_TYPE = ["-H", "content-type: application/json", "-d", BODY];

/** Commands that work as they are on a gateway with the embedded emulator, from the directory of the repository. */
export function linesToPaste({ address, tls, program }: Announced): string {
  const client = (...flags: string[]) =>
    ["The operator's client", [program, "list", DEMO_DATASET, ...flags]] as const;
  if (address.startsWith("unix:")) {
    const socket = ["--unix-socket", address.slice("unix:".length)];
    if (tls.required) return text(connect("https://localhost", "-k", ...socket));
    return text(
      connect("http://localhost", ...socket),
      grpc("http://localhost", "--http2-prior-knowledge", ...socket),
      client("--address", address),
    );
  }
  const host = reachable(address);
  if (!tls.required)
    return text(
      connect(`http://${host}`),
      grpc(`http://${host}`, "--http2-prior-knowledge"),
      client("--address", host),
    );
  // Which authority stands behind the certificate nobody knows here; the connection does not leave this machine.
  const lines = [connect(`https://${host}`, "-k"), grpc(`https://${host}`, "-k")];
  const trusted = certificateItself(tls, host);
  if (trusted) lines.push(client("--address", `https://${trusted.host}`, "--ca", trusted.file));
  return text(...lines);
}

type Line = readonly [title: string, words: readonly string[]];

function connect(origin: string, ...flags: string[]): Line {
  return ["Connect, as JSON over HTTP", ["curl", "-s", ...flags, `${origin}/${METHOD}`, ...JSON_TYPE]];
}

function grpc(origin: string, ...flags: string[]): Line {
  return ["gRPC", ["npx", "buf", "curl", ...flags, "--protocol", "grpc", "-d", BODY, `${origin}/${METHOD}`]];
}

function text(...lines: Line[]): string {
  return `${lines.map(([title, words]) => `\n${title}:\n\n  ${commandLine(words)}\n`).join("")}\n`;
}

/** An address to call for one that is listened on: all interfaces include loopback. */
export function reachable(address: string): string {
  const parsed = parseHostPort(address);
  if (!parsed || !isAnyAddress(parsed.host)) return address;
  return formatHostPort({ ...parsed, host: parsed.host.includes(":") ? "::1" : "127.0.0.1" });
}

/** The host to call, and the certificate's own file as what to trust, where that is enough: it is signed by itself. */
function certificateItself(
  { certificate: file }: TlsConfig,
  address: string,
): { readonly host: string; readonly file: string } | undefined {
  const parsed = parseHostPort(address);
  if (file === undefined || !parsed) return undefined;
  const certificate = new X509Certificate(readFileSync(file));
  if (!certificate.verify(certificate.publicKey)) return undefined;
  const host = [parsed.host, "localhost"].find((name) =>
    name.includes(":") || /^[\d.]+$/.test(name) ? certificate.checkIP(name) : certificate.checkHost(name),
  );
  return host === undefined ? undefined : { host: formatHostPort({ ...parsed, host }), file };
}
