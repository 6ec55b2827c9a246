import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { findWire } from "../../src/rpc/content-type.ts";
import { encodeGrpcMessage } from "../../src/rpc/grpc/error.ts";
import { Metadata } from "../../src/rpc/metadata.ts";
import { RequestBody } from "../../src/rpc/request-body.ts";
import { addMetadata, type HeaderRecord } from "../../src/rpc/response-metadata.ts";
import { anyText } from "../support/any-text.ts";

describe("findWire()", () => {
  it.each([
    ["application/grpc", "grpc", "proto"],
    ["application/grpc+proto", "grpc", "proto"],
    ["application/grpc+json", "grpc", "json"],
    ["application/grpc-web", "grpc-web", "proto"],
    ["application/grpc-web+json", "grpc-web", "json"],
    ["application/grpc-web-text", "grpc-web", "proto"],
    ["application/proto", "connect", "proto"],
    ["application/json", "connect", "json"],
    ["Application/JSON; Charset=UTF-8", "connect", "json"],
    ["application/json;charset=utf8", "connect", "json"],
    ["application/connect+json; charset=utf-8", "connect", "json"],
    ["application/connect+proto", "connect", "proto"],
    ["APPLICATION/GRPC", "grpc", "proto"],
  ])("reads %s", (type, protocol, codec) => {
    expect(findWire(type)).toMatchObject({ protocol: { name: protocol }, codec });
  });

  it.each([
    undefined,
    "",
    "text/plain",
    "application/grpc+xml",
    "application/grpc;x=y",
    "application/json; charset=latin1",
    "application/jsonx",
    "application/x-protobuf",
    "multipart/form-data",
    "constructor",
  ])("knows nothing of %j", (type) => {
    expect(findWire(type)).toBeUndefined();
  });
});

describe("encodeGrpcMessage()", () => {
  it("gives printable ASCII that decodes to the same text, whatever it was", () => {
    fc.assert(
      fc.property(anyText({ maxLength: 50 }), (text) => {
        const encoded = encodeGrpcMessage(text);
        expect(encoded).toMatch(/^[\x20-\x7e]*$/);
        expect(encoded.trim()).toBe(encoded);
        expect(decodeURIComponent(encoded)).toBe(text.toWellFormed());
      }),
    );
  });

  it("leaves readable what may be read", () => {
    expect(encodeGrpcMessage('not found: "projects/p" (404), see http://x?y=z')).toBe(
      'not found: "projects/p" (404), see http://x?y=z',
    );
  });
});

describe("addMetadata()", () => {
  it("lets only legal fields through, and never one of the protocols' own", () => {
    const anything = anyText({ maxLength: 12 });
    fc.assert(
      fc.property(fc.array(fc.tuple(anything, anything), { maxLength: 10 }), (entries) => {
        const metadata = new Metadata();
        for (const [name, value] of [...entries, ["grpc-status", "0"], ["connection", "close"]] as const)
          metadata.append(name, value);
        const into: HeaderRecord = {};
        addMetadata(into, metadata);
        for (const [name, value] of Object.entries(into)) {
          expect(name).toMatch(/^[!#$%&'*+\-.^_`|~0-9a-z]+$/);
          for (const line of [value].flat()) expect(line).toMatch(/^[\t\x20-\x7e]*$/);
        }
        expect(into).not.toHaveProperty("grpc-status");
        expect(into).not.toHaveProperty("connection");
      }),
    );
  });
});

describe("RequestBody", () => {
  it("holds what was put in, in order, and little more memory than that", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 300 }), { minLength: 1, maxLength: 60 }), (pieces) => {
        const [first = new Uint8Array(), ...rest] = pieces;
        const body = new RequestBody(Buffer.from(first));
        for (const piece of rest) body.add(Buffer.from(piece));
        const whole = Buffer.concat(pieces);
        expect(body.bytes().equals(whole)).toBe(true);
        expect(body.length).toBe(whole.length);
        expect(body.pieces).toBe(pieces.length);
        expect(body.bytes().buffer.byteLength).toBeLessThanOrEqual(Math.max(600, 4 * whole.length));
      }),
    );
  });
});
