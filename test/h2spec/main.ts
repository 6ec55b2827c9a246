/**
 * Runs h2spec against a gateway process and a bare node:http2 server at the same time, in clear text and over TLS, for each
 * HTTP/2 implementation that the gateway has; compares case by case, prints what differs, and exits 1 when the
 * gateway is worse in any case, or when its own implementation does not pass all. Run by scripts/h2spec.sh, which
 * builds h2spec. Arguments: sections, `http2/5.1`.
 */
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { formatTable } from "../../src/cli/table.ts";
import { KEY_BY_PATH } from "../../src/config/keys.ts";
import { startServe } from "../support/cli-process.ts";
import { TEST_CERTIFICATE, TEST_KEY } from "../support/tls.ts";
import { portOf, startBareServer } from "./bare-server.ts";
import { better, compare } from "./compare.ts";
import { type Report, readReport } from "./report.ts";

/** How long h2spec waits for an answer before it holds that there is none, in seconds. */
const TIMEOUT_S = 1;

/** How often a gateway that is worse may show that the machine was busy: cases that wait fail on one that is. */
const ROUNDS = 3;

/** A page of the gateway with a body; h2spec skips cases that need one to answers without. */
const PATH = "/readyz?verbose";

const sections = process.argv.slice(2);
const directory = mkdtempSync(join(tmpdir(), "lro-h2spec-"));

/** One run of h2spec, whatever its exit code: that tells of failed cases, which the bare server has too. */
async function run(name: string, port: number, tls: boolean): Promise<Report> {
  const file = join(directory, `${name}.xml`);
  const where = ["-h", "127.0.0.1", "-p", String(port), "-P", PATH, ...(tls ? ["-t", "-k"] : [])];
  const args = [...sections, "-S", ...where, "-o", String(TIMEOUT_S), "-j", file];
  const failure = await new Promise<Error | null>((resolve) => execFile("h2spec", args, resolve));
  if (failure && "code" in failure && failure.code !== 1) throw failure;
  return readReport(readFileSync(file, "utf8"));
}

/**
 * Compares one implementation on one carrier; returns in how many cases it falls short: of the bare server, or, `whole`,
 * of passing all there are.
 */
async function check(title: string, port: number, tls: boolean, whole: boolean): Promise<number> {
  const server = await startBareServer(tls);
  let [bare, gateway] = await Promise.all([run("bare", portOf(server), tls), run("gateway", port, tls)]);
  const shortOf = () => {
    const wanted: Report = whole ? new Map([...bare.keys()].map((name) => [name, "passed"])) : bare;
    return compare(wanted, gateway).filter(({ worse }) => worse);
  };
  for (let round = 1; round < ROUNDS && shortOf().length > 0; round++)
    gateway = better(gateway, await run("gateway", port, tls));
  server.close();
  const passed = (report: Report) => [...report.values()].filter((verdict) => verdict === "passed").length;
  console.log(
    `\n== ${title}: ${bare.size} cases; the bare server passes ${passed(bare)}, the gateway ${passed(gateway)}`,
  );
  const short = new Set(shortOf().map(({ name }) => name));
  const rows = compare(bare, gateway).map((one) => [
    one.name,
    one.bare,
    one.gateway,
    short.has(one.name) ? "WORSE" : "no worse",
  ]);
  if (rows.length > 0) console.log(formatTable(["CASE", "BARE", "GATEWAY", ""], rows));
  for (const name of short) console.log(`falls short: ${name}`);
  return short.size;
}

const certificate = join(directory, "server.crt");
const key = join(directory, "server.key");
writeFileSync(certificate, TEST_CERTIFICATE);
writeFileSync(key, TEST_KEY);

let short = 0;
for (const implementation of KEY_BY_PATH.get("http2")?.setting.words ?? []) {
  const gateway = await startServe([
    ...["--tls-certificate", certificate, "--tls-key", key],
    ...["--http2", implementation],
  ]);
  const port = Number(gateway.address.split(":")[1]);
  for (const tls of [false, true]) {
    const carrier = tls ? "TLS" : "clear text";
    short += await check(`${carrier}, http2: ${implementation}`, port, tls, implementation === "own");
  }
  gateway.child.kill("SIGTERM");
  const { code, signal } = await gateway.ended;
  if (code !== 0) throw new Error(`the gateway ended with ${code ?? signal}`);
}
rmSync(directory, { recursive: true });
console.log(
  short === 0
    ? "\nOver node:http2 no case is worse than with the bare server, and our own HTTP/2 passes all."
    : `\n${short} cases fall short.`,
);
process.exitCode = short === 0 ? 0 : 1;
