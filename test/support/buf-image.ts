import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { fromBinary } from "@bufbuild/protobuf";
import { type FileDescriptorSet, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** The largest descriptor set read from buf, in bytes. The whole of `proto/` is a tenth of it. */
const MAX_IMAGE_BYTES = 16 * 1024 * 1024;

/**
 * Compiles protos with the pinned buf and returns their descriptors, imports included.
 *
 * @param dir The import root, relative to the repository or absolute.
 * @param paths Files or folders below `dir` to compile; all of them when left out.
 * @throws when a file does not compile or does not exist, with what buf says about it.
 */
export function bufImage(dir: string, paths: readonly string[] = []): FileDescriptorSet {
  const args = ["build", dir, "-o", "-", ...paths.flatMap((path) => ["--path", `${dir}/${path}`])];
  // Run by this very Node, so that neither PATH nor a shell matters.
  const image = execFileSync(process.execPath, ["node_modules/@bufbuild/buf/bin/buf", ...args], {
    cwd: root,
    maxBuffer: MAX_IMAGE_BYTES,
    stdio: ["ignore", "pipe", "pipe"],
  });
  return fromBinary(FileDescriptorSetSchema, image);
}
