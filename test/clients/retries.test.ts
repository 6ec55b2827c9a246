import { execFile } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { promisify } from "node:util";
import { create, toBinary } from "@bufbuild/protobuf";
import { credentials, makeGenericClientConstructor } from "@grpc/grpc-js";
import { expect, test } from "vitest";
import { GetOperationRequestSchema } from "../../gen/google/longrunning/operations_pb.ts";
import { startServe } from "../support/cli-process.ts";
import { startEnvoy } from "./envoy.ts";

/**
 * Clients that are told to retry UNAVAILABLE, in front of a gateway whose upstream answers 503. gRPC's own retries and
 * Envoy's happen only if the status stands in the header block (Trailers-Only): once headers have come without it, they make
 * one attempt, whatever the policy says. scripts/clients.sh says through the environment which clients there are.
 */
const { CLIENT_GO: go, CLIENT_JAVA: java, CLIENT_ENVOY: envoy } = process.env;

const MAX_ATTEMPTS = 3;

/** gRFC A6. Without a pushback, the next attempt would come within 10 ms. */
const SERVICE_CONFIG = JSON.stringify({
  methodConfig: [
    {
      name: [{}],
      retryPolicy: {
        maxAttempts: MAX_ATTEMPTS,
        initialBackoff: "0.01s",
        maxBackoff: "0.01s",
        backoffMultiplier: 1,
        retryableStatusCodes: ["UNAVAILABLE"],
      },
    },
  ],
});

const NAME = "projects/p/locations/l/datasets/d/operations/1";

/** Gets {@link NAME} from a gateway: `OK` or the name of the code. */
type Get = (address: string) => Promise<string>;

interface Client {
  readonly title: string;
  readonly get: Get;
  /** Waits as long as `grpc-retry-pushback-ms` or, before Envoy, `retry-after` says. */
  readonly pushedBack: boolean;
  /** Gives up after {@link MAX_ATTEMPTS}; Google's clients go on until their time is over. */
  readonly givesUp: boolean;
}

const CLIENTS: Client[] = [{ title: "grpc-js", get: getWithGrpcJs, pushedBack: true, givesUp: true }];
if (go) CLIENTS.push(...program("go", go, "retries"));
if (java) {
  const classpath = `test/clients/java/target/classes:${readFileSync("test/clients/java/target/classpath", "utf8").trim()}`;
  CLIENTS.push(...program("java", "java", "-cp", classpath, "lrogateway.Retries"));
}
if (envoy) {
  const get: Get = async (address) => {
    const proxy = await startEnvoy(envoy, [address]);
    try {
      return await getWithGrpcJs(proxy.address, false);
    } finally {
      await proxy.close();
    }
  };
  CLIENTS.push({ title: "Envoy with retry_on: unavailable", get, pushedBack: true, givesUp: true });
}

/** The two ways in which a language's client retries. */
function program(language: string, file: string, ...args: string[]): Client[] {
  const get =
    (kind: string): Get =>
    async (address) => {
      const { stdout } = await promisify(execFile)(file, [...args, kind, address, NAME, SERVICE_CONFIG]);
      const seen = JSON.parse(stdout) as "OK" | { code: string };
      return seen === "OK" ? seen : seen.code;
    };
  return [
    { title: `grpc-${language}`, get: get("native"), pushedBack: true, givesUp: true },
    { title: `gax-${language}`, get: get("gax"), pushedBack: false, givesUp: false },
  ];
}

async function getWithGrpcJs(address: string, retry = true): Promise<string> {
  const Client = makeGenericClientConstructor({}, "Operations");
  const options = retry ? { "grpc.service_config": SERVICE_CONFIG } : { "grpc.enable_retries": 0 };
  const client = new Client(address, credentials.createInsecure(), options);
  const identity = (bytes: Buffer) => bytes;
  const body = Buffer.from(
    toBinary(GetOperationRequestSchema, create(GetOperationRequestSchema, { name: NAME })),
  );
  const method = "/google.longrunning.Operations/GetOperation";
  const code = await new Promise<number>((resolve) =>
    client.makeUnaryRequest(method, identity, identity, body, (error) => resolve(error?.code ?? 0)),
  );
  client.close();
  return code === 0 ? "OK" : code === 14 ? "UNAVAILABLE" : `code ${code}`;
}

/** What one call of a client's came to. */
interface Outcome {
  /** What the client was told in the end. */
  readonly code: string;
  /** How the gateway answered each of its attempts: its access log. */
  readonly rpcs: readonly { readonly code: string; readonly attempts: number }[];
  /** When the upstream was asked, in milliseconds. */
  readonly asked: readonly number[];
}

/** A call through a gateway of its own, whose upstream answers 503 so many times. */
async function callThrough(get: Get, failures: number): Promise<Outcome> {
  const asked: number[] = [];
  const upstream = createServer((_request, response) => {
    asked.push(performance.now());
    const status = asked.length <= failures ? 503 : 200;
    response.writeHead(status, { "content-type": "application/json" });
    response.end(status === 200 ? JSON.stringify({ name: NAME }) : "{}");
  });
  upstream.listen(0, "127.0.0.1");
  await once(upstream, "listening");
  const { port } = upstream.address() as AddressInfo;
  const endpoint = ["--upstream-endpoint", `http://127.0.0.1:${port}`, "--upstream-credentials", "none"];
  const gateway = await startServe(endpoint);
  const code = await get(gateway.address).finally(() => gateway.child.kill("SIGTERM"));
  const { stderr } = await gateway.ended;
  upstream.close();
  const lines = stderr.split("\n").filter((line) => line.includes("Operations/GetOperation"));
  return { code, rpcs: lines.map((line) => JSON.parse(line) as Outcome["rpcs"][number]), asked };
}

const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0);

test.concurrent.each(CLIENTS)(
  "$title calls again after an UNAVAILABLE, and succeeds when the upstream is back",
  async ({ get, pushedBack }) => {
    // The gateway tries three times itself, after one and two seconds, before it says UNAVAILABLE.
    const { code, rpcs, asked } = await callThrough(get, 3);
    expect(code).toBe("OK");
    expect(rpcs.map((rpc) => [rpc.code, rpc.attempts])).toEqual([
      ["UNAVAILABLE", 3],
      ["OK", 1],
    ]);
    expect(asked).toHaveLength(4);
    // RetryInfo says four seconds then.
    if (pushedBack) expect((asked[3] ?? 0) - (asked[2] ?? 0)).toBeGreaterThan(3_900);
  },
);

test.concurrent.each(CLIENTS.filter(({ givesUp }) => givesUp))(
  "$title makes all its attempts, and is told UNAVAILABLE when the last has failed",
  async ({ get }) => {
    const { code, rpcs, asked } = await callThrough(get, Number.POSITIVE_INFINITY);
    expect(code).toBe("UNAVAILABLE");
    expect(rpcs.map((rpc) => rpc.code)).toEqual(Array(MAX_ATTEMPTS).fill("UNAVAILABLE"));
    expect(asked).toHaveLength(sum(rpcs.map(({ attempts }) => attempts)));
  },
);
