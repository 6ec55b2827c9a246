import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { parseAllDocuments } from "yaml";
import { loadConfig } from "../src/config/load.ts";
import { startGatewayOnEmulator } from "./support/gateway-on-emulator.ts";

/** What docs/running.md shows for containers, as far as it can be held to what the gateway does without any. */

const text = readFileSync("docs/running.md", "utf8");
const directory = mkdtempSync(join(tmpdir(), "lro-running-"));
afterAll(() => rmSync(directory, { recursive: true }));

describe("the manifest of docs/running.md", () => {
  const [, manifest = ""] = /```yaml\n(apiVersion:.*?)```/s.exec(text) ?? [];
  const of = Object.fromEntries(
    parseAllDocuments(manifest).map((document) => {
      const object = document.toJS();
      return [object.kind, object];
    }),
  );
  const pod = of["Deployment"].spec.template.spec;
  const [container] = pod.containers;
  const [port] = of["Service"].spec.ports;
  const file = join(directory, "gateway.yaml");
  writeFileSync(file, of["ConfigMap"].data["gateway.yaml"]);
  const load = (env: Record<string, string>) => {
    const loaded = loadConfig({ file, env });
    return "config" in loaded ? loaded.config : expect.fail(JSON.stringify(loaded.problems));
  };

  it("has a right configuration, also beside what Kubernetes tells of its Service", () => {
    const links = {
      LRO_GATEWAY_SERVICE_HOST: "10.0.0.1",
      LRO_GATEWAY_SERVICE_PORT: `${port.port}`,
      LRO_GATEWAY_SERVICE_PORT_RPC: `${port.port}`,
      LRO_GATEWAY_PORT: `tcp://10.0.0.1:${port.port}`,
      [`LRO_GATEWAY_PORT_${port.port}_TCP`]: `tcp://10.0.0.1:${port.port}`,
      [`LRO_GATEWAY_PORT_${port.port}_TCP_PROTO`]: "tcp",
      [`LRO_GATEWAY_PORT_${port.port}_TCP_PORT`]: `${port.port}`,
      [`LRO_GATEWAY_PORT_${port.port}_TCP_ADDR`]: "10.0.0.1",
    };
    expect(load(links)).toEqual(load({}));
  });

  it("names the configuration where it is mounted", () => {
    const [mount] = container.volumeMounts;
    expect(container.args).toEqual(["serve", "--config", `${mount.mountPath}/gateway.yaml`]);
    expect(pod.volumes).toContainEqual({
      name: mount.name,
      configMap: { name: of["ConfigMap"].metadata.name },
    });
  });

  it("leads to the port that the gateway listens on", () => {
    const { labels } = of["Deployment"].spec.template.metadata;
    expect(load({}).listen.split(":").at(-1)).toBe(`${container.ports[0].containerPort}`);
    const names = [container.livenessProbe, container.readinessProbe].map(({ httpGet }) => httpGet.port);
    const [{ ports }] = of["NetworkPolicy"].spec.ingress;
    expect(new Set([...names, port.targetPort, ports[0].port])).toEqual(new Set([container.ports[0].name]));
    for (const selector of [
      of["Deployment"].spec.selector.matchLabels,
      of["Service"].spec.selector,
      of["NetworkPolicy"].spec.podSelector.matchLabels,
    ])
      expect(selector).toEqual(labels);
  });

  it("asks probes that a gateway answers", async () => {
    const { gateway, close } = await startGatewayOnEmulator();
    for (const { httpGet } of [container.livenessProbe, container.readinessProbe])
      expect((await fetch(`http://${gateway.address}${httpGet.path}`)).status).toBe(200);
    await close();
  });

  it("leaves a drain its time, and a second for the last answers", () => {
    const { lameDuck, timeout } = load({}).drain;
    expect(pod.terminationGracePeriodSeconds * 1_000).toBeGreaterThanOrEqual(lameDuck + timeout + 1_000);
  });
});

describe("the image of docs/running.md", () => {
  const [, dockerfile = ""] = /```dockerfile\n(.*?)```/s.exec(text) ?? [];
  const [, build = "", final = ""] = dockerfile.split(/^FROM /m);
  const copied = (stage: string) =>
    [...stage.matchAll(/^COPY (?:--\S+ )*(.*) \S+$/gm)].flatMap(([, names = ""]) => names.split(" "));

  it("is built from files that are there, those of the stamp among them", () => {
    const files = copied(build);
    expect(files.filter((file) => !existsSync(file))).toEqual([]);
    expect(files).toEqual(expect.arrayContaining(["package.json", "package-lock.json", "src", "gen"]));
  });

  it("holds a whole installation, at the path and for the user that it was built with", () => {
    const [, home = ""] = /^WORKDIR (.*)$/m.exec(build) ?? [];
    const installation = ["package.json", "bin", "dist"];
    expect(copied(final)).toEqual(installation.map((name) => `${home}/${name}`));
    for (const line of [/^\S+/, /^USER .*$/m, /^WORKDIR .*$/m])
      expect(line.exec(final)?.[0]).toBe(line.exec(build)?.[0]);
  });
});
