import { expect, test } from "vitest";
import { Metadata } from "../../src/rpc/metadata.ts";
import { addMetadata, type HeaderRecord } from "../../src/rpc/response-metadata.ts";

function metadata(...entries: [string, string][]): Metadata {
  const made = new Metadata();
  made.entries.push(...entries);
  return made;
}

test("keeps every value of a name that has several", () => {
  const block: HeaderRecord = {};
  addMetadata(block, metadata(["x-a", "1"], ["x-a", "2"], ["x-a", "3"]));
  expect(block).toEqual({ "x-a": ["1", "2", "3"] });
});

test("leaves out what belongs to the protocols and what is no legal field", () => {
  const block: HeaderRecord = {};
  addMetadata(
    block,
    metadata(["grpc-status", "0"], ["connect-x", "1"], ["x-nul", "a\0b"], ["X-Upper", "a"], ["x-ok", "a"]),
  );
  expect(block).toEqual({ "x-ok": "a" });
});
