import { Code, ConnectError } from "@connectrpc/connect";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { BadRequestSchema } from "../../gen/google/rpc/error_details_pb.ts";
import type { RestRequest } from "../../src/lib/rest.ts";
import type { Bindings } from "../../src/transcode/bindings.ts";
import { bindingsOf, healthcareBindings, type MethodWord, transcode } from "../support/bindings.ts";
import { hostileName, legalName, randomBelow } from "../support/names.ts";
import { type RecordingServer, sendRaw, startRecordingServer } from "../support/recording-server.ts";

/** How many names are tried; a million in `npm run test:names`. */
const NAMES = Number(process.env["NAMES"] ?? 5_000);

/** A method of an API: the shape of its names, and what stands around them in the URL. */
interface Target {
  readonly bindings: Bindings;
  readonly word: MethodWord;
  readonly shape: string;
  readonly verb: string;
  readonly before: string;
  readonly after: string;
}

const healthcare = healthcareBindings();
const wide = bindingsOf(
  `http:
     rules:
     - {selector: google.longrunning.Operations.GetOperation, get: "/v1/{name=operations/**}"}
     - {selector: google.longrunning.Operations.DeleteOperation, delete: "/v1/ops/{name}"}
     - {selector: google.longrunning.Operations.CancelOperation, post: "/v1/{name=*/**/ops/*}:cancel", body: "*"}`,
  "v1",
);
const DATASET = "projects/*/locations/*/datasets/*";
const TARGETS: readonly Target[] = [
  {
    bindings: healthcare,
    word: "get",
    shape: `${DATASET}/operations/*`,
    verb: "GET",
    before: "/v1beta1/",
    after: "",
  },
  {
    bindings: healthcare,
    word: "cancel",
    shape: `${DATASET}/operations/*`,
    verb: "POST",
    before: "/v1beta1/",
    after: ":cancel",
  },
  {
    bindings: healthcare,
    word: "list",
    shape: DATASET,
    verb: "GET",
    before: "/v1beta1/",
    after: "/operations",
  },
  { bindings: wide, word: "get", shape: "operations/**", verb: "GET", before: "/v1/", after: "" },
  { bindings: wide, word: "delete", shape: "*", verb: "DELETE", before: "/v1/ops/", after: "" },
  { bindings: wide, word: "cancel", shape: "*/**/ops/*", verb: "POST", before: "/v1/", after: ":cancel" },
];

interface Sent {
  readonly target: Target;
  readonly name: string;
  readonly request: RestRequest;
}

/** The request for a name, or `undefined` when it is refused in the right way. */
function attempt(target: Target, name: string): RestRequest | undefined {
  try {
    return transcode(target.bindings, target.word, { name });
  } catch (error) {
    if (!(error instanceof ConnectError) || error.code !== Code.InvalidArgument) throw error;
    const [violation] = error.findDetails(BadRequestSchema)[0]?.fieldViolations ?? [];
    if (violation?.field !== "name" || violation.description === "") throw error;
    return undefined;
  }
}

/**
 * Reads a request target as a server would, with nothing from the gateway: literal text around the name, then the
 * name's bytes. A raw character that ends or steers a URL fails it.
 */
function decodeTarget(target: Target, seen: string): string {
  const [verb = "", path = "", ...rest] = seen.split(" ");
  if (rest.length > 0 || verb !== target.verb)
    throw new Error(`wrong verb, or a space in the target: ${seen}`);
  if (!path.startsWith(target.before) || !path.endsWith(target.after))
    throw new Error(`wrong method: ${seen}`);
  const encoded = path.slice(target.before.length, path.length - target.after.length);
  const bytes: number[] = [];
  for (let at = 0; at < encoded.length; at++) {
    const char = encoded.charAt(at);
    if (char === "%") {
      const hex = encoded.slice(at + 1, at + 3);
      if (!/^[0-9A-F]{2}$/.test(hex)) throw new Error(`bad escape: ${seen}`);
      if (hex === "2F" && target.shape !== "*")
        throw new Error(`an encoded slash in a name of segments: ${seen}`);
      bytes.push(Number.parseInt(hex, 16));
      at += 2;
    } else if (/[A-Za-z0-9\-_.~]/.test(char) || (char === "/" && target.shape !== "*")) {
      bytes.push(char.charCodeAt(0));
    } else {
      throw new Error(`raw ${JSON.stringify(char)}: ${seen}`);
    }
  }
  return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(Uint8Array.from(bytes));
}

/** Whether a name has the shape, segment by segment, without dot or empty segments. */
function hasShape(name: string, shape: string): boolean {
  const segments = name.split("/");
  if (segments.some((segment) => segment === "" || segment === "." || segment === "..")) return false;
  if (shape === "*") return true;
  const pattern = shape.split("/").map((s) => (s === "**" ? ".+" : s === "*" ? "[^/]+" : s));
  return new RegExp(`^${pattern.join("/")}$`, "s").test(name);
}

describe(`${NAMES} generated names`, () => {
  let server: RecordingServer;
  beforeAll(async () => {
    server = await startRecordingServer();
  });
  afterAll(() => server[Symbol.asyncDispose]());

  it("are refused, or reach the upstream as exactly that name, verb and method", {
    timeout: 600_000,
  }, async () => {
    let refused = 0;
    let accepted = 0;
    let sent: Sent[] = [];
    const flush = async () => {
      const first = server.requests.length;
      await sendRaw(
        server,
        sent.map(({ request }) => request),
      );
      for (const [index, { target, name }] of sent.entries())
        if (decodeTarget(target, server.requests[first + index] ?? "") !== name)
          throw new Error(`${JSON.stringify(name)} arrived as ${server.requests[first + index]}`);
      expect(server.requests.length - first).toBe(sent.length);
      server.requests.length = 0;
      sent = [];
    };
    await fc.assert(
      fc.asyncProperty(fc.noShrink(fc.integer()), async (seed) => {
        const random = randomBelow(seed);
        for (let left = 100; left > 0; left--) {
          const target = TARGETS[random(TARGETS.length)] as Target;
          const legal = random(4) === 0;
          const name = legal ? legalName(random, target.shape) : hostileName(random, target.shape);
          const request = attempt(target, name);
          if (!request) {
            if (legal) throw new Error(`refused the legal name ${JSON.stringify(name)}`);
            refused++;
            continue;
          }
          if (!hasShape(name, target.shape))
            throw new Error(`took ${JSON.stringify(name)} for ${target.shape}`);
          const url = new URL(request.path, "http://upstream");
          if (url.href !== `http://upstream${request.path}`)
            throw new Error(`${request.path} became ${url.href}`);
          accepted++;
          sent.push({ target, name, request });
        }
        if (sent.length > 5000) await flush();
      }),
      { numRuns: Math.ceil(NAMES / 100) },
    );
    await flush();
    // Neither all refused nor all let through: the generator does its work.
    expect(refused).toBeGreaterThan(NAMES / 5);
    expect(accepted).toBeGreaterThan(NAMES / 5);
    expect(refused + accepted).toBeGreaterThanOrEqual(NAMES);
  });
});
