import { mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { KeyPair } from "../../src/listen/key-pair.ts";
import { KeyPairRenewal, RENEWAL_CHECK_MS } from "../../src/listen/key-pair-renewal.ts";
import { SERVER_CERTIFICATE, SERVER_KEY } from "../support/certificates.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { TEST_CERTIFICATE, TEST_KEY } from "../support/tls.ts";

const OLD: KeyPair = { cert: TEST_CERTIFICATE, key: TEST_KEY };
const NEW: KeyPair = { cert: SERVER_CERTIFICATE, key: SERVER_KEY };

let directory: string;
let clock: ManualClock;
let renewal: KeyPairRenewal;
let used: KeyPair[];
let lines: string[];

/** Writes a pair into a directory of its own, and lets the link lead there: how Kubernetes renews a mounted secret. */
function mount(name: string, { cert, key }: Partial<KeyPair>): void {
  const target = mkdtempSync(join(directory, `${name}-`));
  if (cert !== undefined) writeFileSync(join(target, "tls.crt"), cert);
  if (key !== undefined) writeFileSync(join(target, "tls.key"), key);
  symlinkSync(target, join(directory, "next"));
  renameSync(join(directory, "next"), join(directory, "data"));
}

/** Lets so many looks at the files pass. */
async function look(times: number): Promise<void> {
  for (let n = 0; n < times; n++) {
    await clock.advance(RENEWAL_CHECK_MS);
    // The look itself asks the file system; its timer is set again when that has answered.
    while (clock.pending === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "lro-renewal-"));
  clock = new ManualClock();
  used = [];
  lines = [];
  mount("first", OLD);
  const write = (message: string) => void lines.push(message);
  renewal = new KeyPairRenewal({
    certificateFile: join(directory, "data", "tls.crt"),
    keyFile: join(directory, "data", "tls.key"),
    current: OLD,
    clock,
    log: { info: write, error: write },
    use: (pair) => used.push(pair),
  });
});
afterEach(() => {
  renewal.stop();
  expect(clock.pending).toBe(0);
  rmSync(directory, { recursive: true });
});

it("says and does nothing while the files stay as they are", async () => {
  await look(5);
  expect([used, lines]).toEqual([[], []]);
});

it("serves what a turned link leads to, within two looks, once", async () => {
  await look(3);
  mount("second", NEW);
  await look(2);
  expect([used, lines]).toEqual([[NEW], ["new connections get the renewed TLS certificate"]]);
  await look(3);
  expect(used).toHaveLength(1);
});

it("waits for the second file of a pair that is written one after the other", async () => {
  await look(3);
  writeFileSync(join(directory, "data", "tls.crt"), NEW.cert);
  await look(1);
  writeFileSync(join(directory, "data", "tls.key"), NEW.key);
  await look(2);
  expect([used, lines]).toEqual([[NEW], ["new connections get the renewed TLS certificate"]]);
});

it("keeps the pair that it has, and says so once, while the files hold none", async () => {
  for (const bad of [
    { cert: NEW.cert, key: OLD.key },
    { cert: "no PEM", key: NEW.key },
    { cert: NEW.cert },
  ]) {
    mount("bad", bad);
    await look(4);
    expect([used, lines.splice(0)]).toEqual([
      [],
      ["the TLS key pair cannot be used; the one before it stays"],
    ]);
  }
  mount("good", NEW);
  await look(2);
  expect(used).toEqual([NEW]);
});

it("reads at once when it is told to, and says when nothing is new", () => {
  renewal.renew();
  expect([used, lines.splice(0)]).toEqual([[], ["the TLS certificate has not changed"]]);
  mount("second", NEW);
  renewal.renew();
  expect([used, lines]).toEqual([[NEW], ["new connections get the renewed TLS certificate"]]);
});
