import { create, fromBinary, fromJsonString, toBinary, toJsonString } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import {
  CancelAndWaitResponseSchema,
  WatchOperationResponse_Kind as Kind,
  CancelAndWaitResponse_Outcome as Outcome,
  State,
  WatchOperationResponseSchema,
} from "../../../gen/lrogateway/v1/operation_watcher_pb.ts";
import { registry } from "../../../src/lib/any-registry.ts";
import { decodeOperation } from "../../../src/transcode/operation-codec.ts";
import { spliced } from "../../../src/waiting/deliver/spliced-message.ts";
import { stateFields } from "../../../src/waiting/deliver/watch-message.ts";
import { Observation } from "../../../src/waiting/facts/observation.ts";

const bodies = [
  '{"name":"n"}',
  '{"name":"n","done":true,"error":{"code":1,"message":"cancelled \\u2028 \\"quoted\\""}}',
  '{"name":"n","done":true,"response":{"@type":"type.googleapis.com/google.protobuf.Empty"}}',
  '{"name":"n","metadata":{"@type":"type.googleapis.com/x.Y","a":[1,{"b":null}]}}',
  '{"name":"n","metadata":{"@type":"type.googleapis.com/google.cloud.healthcare.v1.OperationMetadata","createTime":"2026-01-01T00:00:00Z","counter":{"pending":"5","success":"7"}}}',
];

test.each(bodies)(
  "is byte for byte what the plain way gives, in protobuf and as a JSON value: %s",
  (body) => {
    const operation = decodeOperation(Buffer.from(body));
    const fields = stateFields(new Observation(operation, 5, 1_700_000_000_123), 2.5, 1_700_000_001_000);
    const schema = WatchOperationResponseSchema;
    const message = spliced({
      schema,
      head: create(schema, { kind: Kind.STATE }),
      operation,
      tail: create(schema, fields),
      whole: () => create(schema, { kind: Kind.STATE, operation: operation.toMessage(), ...fields }),
    });
    const plain = message.toMessage();
    expect(Buffer.from(message.toBinary()).toString("hex")).toBe(
      Buffer.from(toBinary(schema, plain)).toString("hex"),
    );
    expect(JSON.parse(Buffer.from(message.toJson()).toString())).toEqual(
      JSON.parse(toJsonString(schema, plain, { registry })),
    );
    expect(fromBinary(schema, message.toBinary())).toEqual(plain);
    expect(message.toBinary()).toBe(message.toBinary());
    expect(message.toJson()).toBe(message.toJson());
  },
);

test("works where nothing stands before or after the operation, or the operation is absent", () => {
  const schema = CancelAndWaitResponseSchema;
  const operation = decodeOperation(Buffer.from('{"name":"n"}'));
  for (const [outcome, inner] of [
    [Outcome.STILL_RUNNING, operation],
    [Outcome.OUTCOME_UNSPECIFIED, operation],
    [Outcome.NOT_FOUND, undefined],
    [Outcome.OUTCOME_UNSPECIFIED, undefined],
  ] as const) {
    const whole = () => create(schema, { outcome, ...(inner && { operation: inner.toMessage() }) });
    const message = spliced({
      schema,
      head: create(schema, { outcome }),
      operation: inner,
      tail: create(schema),
      whole,
    });
    expect(fromBinary(schema, message.toBinary())).toEqual(whole());
    expect(fromJsonString(schema, Buffer.from(message.toJson()).toString())).toEqual(whole());
  }
});

test("a state is told in the words of the interface", () => {
  const operation = decodeOperation(Buffer.from('{"name":"n","done":true,"error":{"code":1}}'));
  const fields = stateFields(new Observation(operation, 0, 0), undefined, 1);
  expect(fields).toMatchObject({ state: State.CANCELLED });
  expect(fields.nextReadTime).toBeUndefined();
});
