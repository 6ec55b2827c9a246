import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Listener, startListener } from "../../src/listen/listener.ts";
import { createCorsPolicy } from "../../src/rpc/cors/policy.ts";
import { createRouter } from "../../src/rpc/router.ts";
import { echoRegistry, echoService, LOOK, REPEAT, SAY } from "../support/echo-service.ts";

describe("who tries the gateway by hand and has it wrong", () => {
  let listener: Listener;
  beforeAll(async () => {
    const service = echoService({ say: (message) => message, look: (message) => message });
    const cors = createCorsPolicy([], []);
    listener = await startListener(
      { listen: "127.0.0.1:0" },
      createRouter([service], { registry: echoRegistry, cors }),
    );
  });
  afterAll(() => listener.close());

  const html = { "content-type": "text/html" };
  const page = { origin: "https://evil.example" };
  it.each<
    [what: string, verb: string, path: string, headers: Record<string, string>, status: number, text: string]
  >([
    [
      "the path",
      "POST",
      "/secret",
      {},
      404,
      "METHOD_UNKNOWN: The gateway does not serve this method. Calls go to /",
    ],
    [
      "the verb",
      "PUT",
      SAY,
      {},
      405,
      "REQUEST_MALFORMED: The request could not be decoded. Calls are sent by POST.",
    ],
    ["the content type", "POST", SAY, html, 415, "Send content-type: application/json with JSON."],
    [
      "the content type of a stream",
      "POST",
      REPEAT,
      html,
      415,
      "Send content-type: application/connect+json",
    ],
    ["the encoding of a GET", "GET", `${LOOK}?encoding=xml`, {}, 415, "encoding=json or encoding=proto"],
    [
      "the origin",
      "GET",
      LOOK,
      page,
      403,
      "ORIGIN_NOT_ALLOWED: Web pages of this origin may not call the gateway.",
    ],
  ])(
    "is told what to do next, in a line of the catalogue's words: %s",
    async (_, verb, path, headers, status, words) => {
      const answer = await fetch(`http://${listener.address}${path}`, { method: verb, headers });
      const text = await answer.text();
      expect(answer.status).toBe(status);
      expect(answer.headers.get("content-type")).toBe("text/plain; charset=utf-8");
      expect(text.toLowerCase()).toContain(words.toLowerCase());
      expect(text).toMatch(/^[A-Z_]+: [^\n]+\n$/);
      expect(text).not.toMatch(/secret|evil|xml/);
    },
  );

  it("gets the same headers and no body by HEAD", async () => {
    const [answer, other] = await Promise.all(
      ["HEAD", "GET"].map((method) => fetch(`http://${listener.address}${SAY}`, { method })),
    );
    expect([answer?.status, await answer?.text()]).toEqual([405, ""]);
    // RFC 9110 §8.6: the length of what GET is answered, or none.
    expect(answer?.headers.get("content-length")).toBe(String((await other?.text())?.length));
  });
});
