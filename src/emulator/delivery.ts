import type { ObjectReader } from "./input.ts";

/** How an answer is put on the wire; an empty object: as it should be. All sizes are bytes, all times milliseconds. */
export interface Delivery {
  /** Nothing more is sent, and the connection stays open until the client leaves. */
  readonly hang?: "before-headers" | "after-headers" | undefined;
  /** The connection is reset (TCP RST): before anything is sent, after the headers, or after so many bytes of the body. */
  readonly reset?: "before-headers" | "after-headers" | number | undefined;
  /** Only so many bytes of the body are sent, then the connection is closed (FIN), whatever the headers promised. */
  readonly truncate?: number | undefined;
  /** The body is cut to so many bytes and the headers agree: JSON that ends in the middle, in a whole HTTP message. */
  readonly cut?: number | undefined;
  /** The body goes out in pieces of `bytes`, one each `everyMs`. */
  readonly drip?: { readonly bytes: number; readonly everyMs: number } | undefined;
  /** The value of Content-Length, true or not. */
  readonly contentLength?: number | undefined;
  /** `Transfer-Encoding: chunked` in place of Content-Length. */
  readonly chunked?: boolean | undefined;
  /** The body is compressed so many times over, and `Content-Encoding` says so. */
  readonly gzip?: number | undefined;
  /** Spaces are added up to this size, before compression (JSON stays valid). Made on the way; 1 GB needs no memory. */
  readonly padTo?: number | undefined;
  /** A response header of so many bytes is added. */
  readonly headerBytes?: number | undefined;
  /** These characters, as Latin-1, are sent instead of any HTTP, then the connection is closed. */
  readonly raw?: string | undefined;
}

/** Reads the `delivery` of a fault. Throws a RangeError that names a wrong key. */
export function readDelivery(input: ObjectReader): Delivery {
  const stops = ["before-headers", "after-headers"] as const;
  const drip = input.object("drip");
  const delivery: Delivery = {
    hang: input.oneOf("hang", stops),
    reset: typeof input.json("reset") === "number" ? input.number("reset") : input.oneOf("reset", stops),
    truncate: input.number("truncate"),
    cut: input.number("cut"),
    drip: drip && { bytes: drip.number("bytes", 1) ?? 1, everyMs: drip.number("everyMs") ?? 1000 },
    contentLength: input.number("contentLength"),
    chunked: input.boolean("chunked"),
    gzip: input.number("gzip"),
    padTo: input.number("padTo"),
    headerBytes: input.number("headerBytes"),
    raw: input.string("raw"),
  };
  drip?.end();
  input.end();
  if ((delivery.gzip ?? 0) > MAX_GZIP_LAYERS) {
    throw new RangeError(`fault.delivery.gzip must be ${MAX_GZIP_LAYERS} or less`);
  }
  if (delivery.gzip && (delivery.padTo ?? 0) > MAX_GZIP_PADDING) {
    throw new RangeError(`fault.delivery.padTo must be ${MAX_GZIP_PADDING} or less together with gzip`);
  }
  return delivery;
}

/** Compressing more often tests nothing new and stalls the emulator. */
const MAX_GZIP_LAYERS = 1_000;

/** What is to be compressed is made in memory; 64 MiB of spaces become a bomb of 64 KiB. */
const MAX_GZIP_PADDING = 64 * 1024 * 1024;
