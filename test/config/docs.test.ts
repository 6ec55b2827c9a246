import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { configDocs } from "../../scripts/config-docs.ts";
import { parseDuration } from "../../src/config/duration.ts";
import { KEY_BY_PATH, KEYS } from "../../src/config/keys.ts";
import { ROOT } from "../support/cli-process.ts";

it.each([...configDocs()])("finds %s as the schema makes it (npm run generate)", (path, content) => {
  expect(readFileSync(path, "utf8")).toBe(content);
});

it("publishes a JSON Schema that knows every key and refuses others", () => {
  const schema = JSON.parse(readFileSync(join(ROOT, "docs/configuration.schema.json"), "utf8")) as JsonSchema;
  for (const { path } of KEYS) {
    let at: JsonSchema | undefined = schema;
    for (const name of path.split(".")) {
      expect(at?.additionalProperties).toBe(false);
      at = at?.properties?.[name];
    }
    expect(at?.description).toBeTruthy();
  }
});

interface JsonSchema {
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly additionalProperties?: boolean;
  readonly description?: string;
}

it("tells the defaults in docs/waiting.md as they are", () => {
  const text = readFileSync(join(ROOT, "docs/waiting.md"), "utf8");
  const told = [...text.matchAll(/`(waiting\.\w+)` \((\d[\d,]*(?: (?:s|min|h))?)\)/g)];
  expect(told.map(([, path]) => path)).toEqual(
    expect.arrayContaining(["waiting.max_wait", "waiting.heartbeat", "waiting.max_collection_operations"]),
  );
  for (const [, path = "", value = ""] of told) {
    const [amount = "", unit] = value.replaceAll(",", "").split(" ");
    const said = unit ? parseDuration(`${amount}${unit === "min" ? "m" : unit}`) : Number(amount);
    expect([path, said]).toEqual([path, KEY_BY_PATH.get(path)?.schema.parse(undefined)]);
  }
});

it("gives each key the variable and the flag that follow from its name, each once", () => {
  expect(KEYS.map(({ variable }) => variable)).toEqual([...new Set(KEYS.map(({ variable }) => variable))]);
  // Names that scripts of other people rely on.
  const names = Object.fromEntries(KEYS.map(({ path, variable }) => [path, variable]));
  expect(names).toMatchObject({
    listen: "LRO_GATEWAY_LISTEN",
    "upstream.endpoint": "LRO_GATEWAY_UPSTREAM_ENDPOINT",
    "upstream.api_version": "LRO_GATEWAY_UPSTREAM_API_VERSION",
    "upstream.credentials": "LRO_GATEWAY_UPSTREAM_CREDENTIALS",
    "upstream.rules": "LRO_GATEWAY_UPSTREAM_RULES",
    "log.level": "LRO_GATEWAY_LOG_LEVEL",
    "cors.allowed_origins": "LRO_GATEWAY_CORS_ALLOWED_ORIGINS",
    allow_unauthenticated: "LRO_GATEWAY_ALLOW_UNAUTHENTICATED",
    "waiting.max_wait": "LRO_GATEWAY_WAITING_MAX_WAIT",
    "waiting.heartbeat": "LRO_GATEWAY_WAITING_HEARTBEAT",
    "waiting.max_stream_age": "LRO_GATEWAY_WAITING_MAX_STREAM_AGE",
    "waiting.reauthorize_interval": "LRO_GATEWAY_WAITING_REAUTHORIZE_INTERVAL",
    "waiting.reads_per_second": "LRO_GATEWAY_WAITING_READS_PER_SECOND",
    "waiting.list_threshold": "LRO_GATEWAY_WAITING_LIST_THRESHOLD",
    "waiting.max_watches": "LRO_GATEWAY_WAITING_MAX_WATCHES",
    "waiting.max_watches_per_caller": "LRO_GATEWAY_WAITING_MAX_WATCHES_PER_CALLER",
    "waiting.max_operations": "LRO_GATEWAY_WAITING_MAX_OPERATIONS",
    "waiting.max_collection_operations": "LRO_GATEWAY_WAITING_MAX_COLLECTION_OPERATIONS",
  });
});
