import { Code, ConnectError } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { lossRemark } from "../../src/cli/loss-remark.ts";

test("a lost stream is told in the words of the command that the user gave", () => {
  const loss = new ConnectError("the gateway is shutting down", Code.Unavailable);
  expect(lossRemark("wait", loss, 1_000)).toBe(
    "The wait was cut (UNAVAILABLE: the gateway is shutting down); attaching again in 1.0 s.",
  );
  expect(lossRemark("watch", undefined, 250)).toBe(
    "The watch was cut (it ended before the operation did); attaching again in 0.3 s.",
  );
});
