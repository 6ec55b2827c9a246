import type { RequestHead } from "../../src/listen/http2/request-head.ts";

/** The head of a POST that says as little as one can, for tests of what comes behind it. */
export const POST_HEAD: RequestHead = {
  verb: "POST",
  target: "/",
  authority: "a",
  headers: {},
  contentLength: -1,
  expectsContinue: false,
};
