import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { readKeyPair } from "../../src/listen/key-pair.ts";
import { CA_CERTIFICATE, SERVER_CERTIFICATE, SERVER_KEY } from "../support/certificates.ts";
import { TEST_KEY } from "../support/tls.ts";

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "lro-key-pair-"));
});
afterAll(() => rmSync(directory, { recursive: true }));

function read(certificate: string, key: string): ReturnType<typeof readKeyPair> {
  const files = [join(directory, "server.crt"), join(directory, "server.key")] as const;
  writeFileSync(files[0], certificate);
  writeFileSync(files[1], key);
  return readKeyPair(...files);
}

/** The complaint, without the test's own directory. */
function problem(certificate: string, key: string): string {
  const result = read(certificate, key);
  if ("cert" in result) throw new Error("the files were accepted");
  expect(result.problem).toContain(directory);
  return `${result.file}: ${result.problem.replaceAll(`${directory}/`, "")}`;
}

it("takes a certificate with its chain, and its key", () => {
  const chain = `${SERVER_CERTIFICATE}\n${CA_CERTIFICATE}`;
  expect(read(chain, SERVER_KEY)).toEqual({ cert: chain, key: SERVER_KEY });
});

it("refuses a key that belongs to another certificate, and a chain that begins with the authority", () => {
  const other = "key: server.key does not hold the key of the first certificate in server.crt";
  expect(problem(SERVER_CERTIFICATE, TEST_KEY)).toBe(other);
  expect(problem(`${CA_CERTIFICATE}\n${SERVER_CERTIFICATE}`, SERVER_KEY)).toBe(other);
});

it("refuses what is no certificate or no key, the two exchanged too", () => {
  const noCertificate = "certificate: server.crt does not begin with a certificate in PEM form";
  for (const text of ["", "hello\n", SERVER_KEY, SERVER_CERTIFICATE.slice(0, 200)])
    expect(problem(text, SERVER_KEY)).toBe(noCertificate);
  for (const text of ["", "hello\n", SERVER_CERTIFICATE, SERVER_KEY.slice(0, 100)])
    expect(problem(SERVER_CERTIFICATE, text)).toBe("key: server.key does not hold a private key in PEM form");
});

it("refuses a key under a passphrase and says that it may have none", () => {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const lock = { format: "pem", cipher: "aes-256-cbc", passphrase: "hunter2" } as const;
  const expected = "key: server.key holds an encrypted key; only a key without a passphrase is accepted";
  for (const type of ["pkcs8", "sec1"] as const)
    expect(problem(SERVER_CERTIFICATE, privateKey.export({ type, ...lock }).toString())).toBe(expected);
});

it("refuses a broken certificate in the chain", () => {
  const broken = CA_CERTIFICATE.replace("MIIB", "AAAA");
  expect(problem(`${SERVER_CERTIFICATE}\n${broken}`, SERVER_KEY)).toContain(
    "certificate: server.crt is refused by TLS; it must hold the server's certificate and its chain in PEM form",
  );
});

it("says which file has gone since the configuration was loaded", () => {
  const missing = join(directory, "gone.pem");
  expect(readKeyPair(missing, missing)).toMatchObject({ file: "certificate" });
});
