import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** The variables that decide where Google credentials come from. */
const VARIABLES = [
  "GOOGLE_APPLICATION_CREDENTIALS",
  "GOOGLE_CLOUD_QUOTA_PROJECT",
  "GCE_METADATA_HOST",
  "GCE_METADATA_IP",
  "METADATA_SERVER_DETECTION",
  "CLOUDSDK_CONFIG",
  "HOME",
  "HTTPS_PROXY",
  "https_proxy",
  "HTTP_PROXY",
  "http_proxy",
  "NO_PROXY",
  "no_proxy",
] as const;

/**
 * The process's environment as a machine without Google credentials has it, until disposed of; then as it was (but
 * for the probe for a metadata server, which stays off). The credentials library reads it from the process and nowhere else.
 */
export class CredentialEnvironment implements Disposable {
  private readonly saved = VARIABLES.map((name) => [name, process.env[name]] as const);
  private readonly directory = mkdtempSync(join(tmpdir(), "lro-gateway-test-"));

  constructor() {
    for (const name of VARIABLES) delete process.env[name];
    process.env["HOME"] = this.directory;
    process.env["METADATA_SERVER_DETECTION"] = "none";
  }

  set(name: (typeof VARIABLES)[number], value: string): void {
    process.env[name] = value;
  }

  /** Writes a file beside the others and returns its path. */
  file(name: string, content: string): string {
    const path = join(this.directory, name);
    writeFileSync(path, content);
    return path;
  }

  /** Points Application Default Credentials at a file with this content. */
  useCredentials(json: unknown): void {
    const text = typeof json === "string" ? json : JSON.stringify(json);
    this.set("GOOGLE_APPLICATION_CREDENTIALS", this.file("credentials.json", text));
  }

  /** Points the metadata server at an address; the probe for one is switched on. */
  useMetadataServer(origin: string): void {
    this.set("GCE_METADATA_HOST", origin.replace("http://", ""));
    this.set("METADATA_SERVER_DETECTION", "assume-present");
  }

  [Symbol.dispose](): void {
    for (const [name, value] of this.saved)
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    // A fetch that outlives its test must not look for a metadata server of the machine that tests run on.
    process.env["METADATA_SERVER_DETECTION"] = "none";
    rmSync(this.directory, { recursive: true, force: true });
  }
}
