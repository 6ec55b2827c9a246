import { request } from "node:http";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Listener, startListener } from "../../src/listen/listener.ts";
import { createRouter } from "../../src/rpc/router.ts";
import { createProbes } from "../../src/services/probes.ts";
import { echoRegistry, echoService } from "../support/echo-service.ts";

describe("the probes", () => {
  let listener: Listener;
  let token: boolean;
  let draining: boolean;
  beforeEach(() => {
    token = true;
    draining = false;
  });
  beforeAll(async () => {
    const pages = createProbes([
      { name: "credentials", passed: () => token },
      { name: "not-draining", passed: () => !draining },
    ]);
    const router = createRouter([echoService({})], { registry: echoRegistry, pages });
    listener = await startListener({ listen: "127.0.0.1:0" }, router);
  });
  afterAll(() => listener.close());

  const probe = async (path: string, method = "GET"): Promise<[number, string]> => {
    const response = await fetch(`http://${listener.address}${path}`, { method });
    return [response.status, await response.text()];
  };

  it("say that the process lives, whatever else is the case", async () => {
    expect(await probe("/livez")).toEqual([200, "ok\n"]);
  });

  it("say why the gateway is not ready, and once it is, that it is", async () => {
    token = false;
    expect(await probe("/readyz")).toEqual([503, "[-]credentials failed\nreadyz check failed\n"]);
    expect(await probe("/readyz?verbose")).toEqual([
      503,
      "[-]credentials failed\n[+]not-draining ok\nreadyz check failed\n",
    ]);
    token = true;
    expect(await probe("/readyz")).toEqual([200, "ok\n"]);
    expect(await probe("/readyz?verbose")).toEqual([
      200,
      "[+]credentials ok\n[+]not-draining ok\nreadyz check passed\n",
    ]);
    draining = true;
    expect(await probe("/readyz")).toEqual([503, "[-]not-draining failed\nreadyz check failed\n"]);
    expect(await probe("/livez")).toEqual([200, "ok\n"]);
  });

  it("answer HEAD without a body, and no other verb", async () => {
    expect(await probe("/readyz", "HEAD")).toEqual([200, ""]);
    const { headers } = await fetch(`http://${listener.address}/readyz`, { method: "HEAD" });
    expect(headers.get("content-length")).toBe("3");
    expect((await probe("/readyz", "POST"))[0]).toBe(405);
    expect((await probe("/livez", "DELETE"))[0]).toBe(405);
    expect((await probe("/livez/"))[0]).toBe(404);
  });

  it("answer a prober that names no host that could be one", async () => {
    const [host, port] = listener.address.split(":");
    const status = await new Promise((resolve, reject) => {
      request({ host, port, path: "/livez", headers: { host: "" } }, (response) => {
        response.resume();
        resolve(response.statusCode);
      })
        .on("error", reject)
        .end();
    });
    expect(status).toBe(200);
  });
});
