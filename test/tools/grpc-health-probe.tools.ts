import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { run, startWorld, type World } from "./world.ts";

/** The probe's exit codes: its README. */
const [OK, RPC_FAILURE, UNHEALTHY] = [0, 3, 4];

let world: World;
beforeAll(async () => {
  world = await startWorld("--drain-lame-duck", "10s");
});

const probe = (...args: string[]) => run("grpc-health-probe", "-addr", world.address, ...args);

describe("grpc-health-probe", () => {
  // A drain follows: whatever the order of the other tests, this ends the gateway last.
  afterAll(async () => {
    world.gateway.child.kill("SIGTERM");
    let code: number;
    do ({ code } = await probe());
    while (code === OK && (await sleep(50, true)));
    expect(code).toBe(UNHEALTHY);
    expect((await probe("-service", "google.longrunning.Operations")).stderr).toContain("NOT_SERVING");
    await world.close();
  });

  test("finds the server, and each service, to be SERVING", async () => {
    for (const service of ["", "google.longrunning.Operations", "lrogateway.v1.OperationWatcher"]) {
      const { code, stderr } = await probe("-service", service);
      expect([code, stderr]).toEqual([OK, "status: SERVING\n"]);
    }
  });

  test("is told NOT_FOUND of a service that is not there", async () => {
    const { code, stderr } = await probe("-service", "nobody.Knows");
    expect(code).toBe(RPC_FAILURE);
    expect(stderr).toContain("code = NotFound");
  });

  test("probes over TLS", async () => {
    const { code } = await probe("-tls", "-tls-ca-cert", world.certificate, "-tls-server-name", "localhost");
    expect(code).toBe(OK);
  });
});
