import { Code, type ConnectError } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { ErrorInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import { cancelled } from "../support/cancelled.ts";
import { errorText } from "../support/error-text.ts";
import { OPERATION, startFaultUpstream } from "../support/fault-upstream.ts";
import { OpenCall } from "../support/open-call.ts";

const failure = (call: Promise<unknown>): Promise<ConnectError> =>
  call.then(
    () => expect.unreachable("the call succeeded"),
    (error) => error,
  );

const REFUSED = { error: { code: 401, status: "UNAUTHENTICATED", message: "invalid credentials" } };

test.each(["Bearer ya29.A-b_c~d+e/f==", "bearer lower", `Bearer ${"x".repeat(4_000)}`])(
  "forwards %.20s byte for byte, once, on each kind of request",
  async (authorization) => {
    await using at = await startFaultUpstream(
      (request, reply) => reply.json(200, request.method === "POST" ? {} : { name: OPERATION }),
      { credentials: "caller" },
    );
    await at.upstream.api.get(OPERATION, new OpenCall({ authorization }));
    await cancelled(at.upstream.api, OPERATION, new OpenCall({ authorization }));
    for (const { head } of at.server.requests)
      expect(head.split("\r\n").filter((line) => /^authorization:/i.test(line))).toEqual([
        `authorization: ${authorization}`,
      ]);
  },
);

test("mixes no two callers' tokens", async () => {
  await using at = await startFaultUpstream(
    ({ path }, reply) => reply.json(200, { name: path.replace("/v1beta1/", "") }),
    { credentials: "caller", connections: 2 },
  );
  const callers = Array.from({ length: 40 }, (_, n) => `Bearer token-${n}`);
  await Promise.all(
    callers.map((authorization, n) =>
      at.upstream.api.get(OPERATION.replace(/1$/, `${n}`), new OpenCall({ authorization })),
    ),
  );
  for (const { path, headers } of at.server.requests)
    expect(headers["authorization"]).toBe(`Bearer token-${path.split("/").at(-1)}`);
});

test.each([
  [undefined, "CREDENTIALS_MISSING"],
  ["", "CREDENTIALS_MISSING"],
  ["Basic dXNlcjpwYXNz", "CREDENTIALS_MALFORMED"],
  ["Bearer", "CREDENTIALS_MALFORMED"],
  ["Bearer ", "CREDENTIALS_MALFORMED"],
  ["Bearer a b", "CREDENTIALS_MALFORMED"],
  ["Bearer a, Bearer b", "CREDENTIALS_MALFORMED"],
  ["Bearer a\r\nx-goog-user-project: mine", "CREDENTIALS_MALFORMED"],
  ["Bearer ä", "CREDENTIALS_MALFORMED"],
  [`Bearer ${"x".repeat(20_000)}`, "CREDENTIALS_MALFORMED"],
])("refuses the authorization %.30j and sends nothing", async (authorization, reason) => {
  await using at = await startFaultUpstream((_, reply) => reply.json(200, {}), { credentials: "caller" });
  const options = authorization === undefined ? {} : { authorization };
  const error = await failure(cancelled(at.upstream.api, OPERATION, new OpenCall(options)));
  expect(error.code).toBe(Code.Unauthenticated);
  expect(error.findDetails(ErrorInfoSchema)[0]?.reason).toBe(reason);
  expect(at.server.connections).toBe(0);
});

test.each(["caller", "none"] as const)(
  "answers UNAUTHENTICATED to a 401 in mode %s, after one request",
  async (credentials) => {
    await using at = await startFaultUpstream((_, reply) => reply.json(401, REFUSED), { credentials });
    const error = await failure(
      at.upstream.api.get(OPERATION, new OpenCall({ authorization: "Bearer canary" })),
    );
    expect([error.code, at.server.requests.length]).toEqual([Code.Unauthenticated, 1]);
    expect(errorText(error)).not.toContain("canary");
  },
);
