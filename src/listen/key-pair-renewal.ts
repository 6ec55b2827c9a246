import { X509Certificate } from "node:crypto";
import { stat } from "node:fs/promises";
import type { Clock, Timer } from "../lib/clock.ts";
import type { Log } from "../observe/log.ts";
import { type KeyPair, readKeyPair } from "./key-pair.ts";

/** How often the files are looked at, ms. What renews them does it minutes to weeks before the old certificate ends. */
export const RENEWAL_CHECK_MS = 10_000;

/** What {@link KeyPairRenewal} needs. */
export interface RenewalOptions {
  readonly certificateFile: string;
  readonly keyFile: string;
  /** What is served at first. */
  readonly current: KeyPair;
  readonly clock: Clock;
  readonly log: Pick<Log, "info" | "error">;
  /** Serves another pair from now on. */
  readonly use: (pair: KeyPair) => void;
}

/**
 * Reads a TLS key pair again when its files have changed, or when it is told to, so that what cert-manager or SPIFFE
 * renews is served without a restart. A pair that cannot be used is logged, and the old one stays.
 *
 * The files are looked at, not watched: Kubernetes renews a mounted secret by turning a symbolic link somewhere above
 * them, of which a watch on the file hears nothing.
 */
export class KeyPairRenewal {
  readonly #options: RenewalOptions;
  #current: KeyPair;
  /** The state of the files that was last read, and the one that was last seen. */
  #read: string | undefined;
  #seen: string | undefined;
  #timer: Timer | undefined;
  #stopped = false;

  constructor(options: RenewalOptions) {
    this.#options = options;
    this.#current = options.current;
    this.#wait();
  }

  /** Reads the files now, whatever they look like, and says what came of it. */
  renew(): void {
    if (!this.#stopped && !this.#readAgain())
      this.#options.log.info("the TLS certificate has not changed", validity(this.#current));
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  #wait(): void {
    this.#timer = this.#options.clock.setTimer(RENEWAL_CHECK_MS, () => void this.#look());
  }

  async #look(): Promise<void> {
    const { certificateFile, keyFile } = this.#options;
    const state = (await Promise.all([certificateFile, keyFile].map(stateOf))).join(" ");
    if (this.#stopped) return;
    // Seen twice the same: certificate and key are written one after the other, and half of each is no pair.
    if (state === this.#seen && state !== this.#read) {
      this.#read = state;
      this.#readAgain();
    }
    this.#seen = state;
    this.#wait();
  }

  /** False: the files hold what is served. */
  #readAgain(): boolean {
    const { certificateFile, keyFile, log, use } = this.#options;
    const pair = readKeyPair(certificateFile, keyFile);
    if ("problem" in pair) {
      log.error("the TLS key pair cannot be used; the one before it stays", {
        problem: pair.problem,
        ...validity(this.#current),
      });
      return true;
    }
    if (pair.cert === this.#current.cert && pair.key === this.#current.key) return false;
    this.#current = pair;
    use(pair);
    log.info("new connections get the renewed TLS certificate", validity(pair));
    return true;
  }
}

/** What tells a certificate from the one before it. */
function validity({ cert }: KeyPair) {
  const { serialNumber, validTo } = new X509Certificate(cert);
  return { serialNumber, validTo };
}

/** Changes with every change of a file, or of what its path leads to. */
async function stateOf(file: string): Promise<string> {
  try {
    const { dev, ino, size, mtimeNs } = await stat(file, { bigint: true });
    return `${dev}:${ino}:${size}:${mtimeNs}`;
  } catch {
    return "unreadable";
  }
}
