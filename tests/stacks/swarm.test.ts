import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Resource } from "../engine/fake-provider.ts";
import {
  type Engine,
  engine,
  provesFailures,
  provesLifecycle,
  provesRefusals,
  type StackUnderTest,
} from "../engine/harness.ts";
import { fakeDocker } from "./fake-docker.ts";

const under: StackUnderTest = {
  stack: "swarm",
  // The provider of local things too: it asks Docker whether the services run.
  packages: ["docker", "random", "oneoff-local"],
  fake: fakeDocker,
};

const namesOf = (resources: readonly Resource[]) =>
  resources.map(({ type, name }) => `${type.split(":").at(-1)} ${name}`).sort();

let made: readonly Resource[];

describe("on the real engine, with providers that make nothing", { timeout: 300_000 }, () => {
  test("up, an empty second up, destroy to nothing", async () => {
    made = await provesLifecycle(under);
    expect(namesOf(made)).toMatchInlineSnapshot(`
      [
        "Container cluster-gateway",
        "Container dashboard-container",
        "Folder lake-folder",
        "Network cluster-network",
        "RandomPassword cluster-mongo",
        "RandomPassword cluster-mongo-express",
        "RandomPassword cluster-mongo-root",
        "RandomPassword cluster-notebook-token",
        "RandomPassword cluster-salt",
        "RandomPassword cluster-spark",
        "RemoteImage cluster-hdfs-image",
        "RemoteImage cluster-spark-image",
        "RemoteImage dashboard-dashboard-image",
        "Secret cluster-mongo-express-secret",
        "Secret cluster-mongo-root-secret",
        "Secret cluster-mongo-secret",
        "Secret cluster-mongo-uri-secret",
        "Secret cluster-notebook-token-secret",
        "Secret cluster-run-1-secret",
        "Secret cluster-spark-secret",
        "Service cluster-datanode",
        "Service cluster-history",
        "Service cluster-master",
        "Service cluster-mongo",
        "Service cluster-mongo-express",
        "Service cluster-namenode",
        "Service cluster-notebook",
        "Service cluster-run-1",
        "Service cluster-worker",
        "ServiceConfig cluster-analysis-config",
        "ServiceConfig cluster-mongo-init-config",
        "ServiceConfig cluster-run-1-config",
        "ServiceConfig cluster-startup-config",
        "Services cluster-services",
      ]
    `);
  });

  test("no service publishes a port, and every port of a container is on the loopback address", () => {
    const services = made.filter(({ type }) => type.endsWith(":Service"));
    expect(services.length).toBeGreaterThan(8);
    for (const { name, properties } of services) {
      expect(properties.endpointSpec, name).toEqual({ mode: "dnsrr" });
      expect((properties.taskSpec as { containerSpec: object }).containerSpec, name).toMatchObject({
        capDrops: ["ALL"],
      });
    }
    const ports = made
      .filter(({ type }) => type.endsWith(":Container"))
      .flatMap(({ properties }) => properties.ports as { ip: string }[]);
    expect(ports).toHaveLength(6);
    expect(new Set(ports.map(({ ip }) => ip))).toEqual(new Set(["127.0.0.1"]));
  });

  test("no secret is in an argument, an environment variable or a config", () => {
    const passwords = made
      .filter(({ type }) => type.endsWith(":RandomPassword"))
      .map(({ properties }) => properties.result as string);
    expect(passwords.length).toBeGreaterThan(4);
    for (const { type, name, properties } of made.filter(({ type }) =>
      /:(Service|Container|ServiceConfig)$/.test(type),
    )) {
      const text = JSON.stringify(properties) + Buffer.from(String(properties.data ?? ""), "base64").toString();
      for (const password of passwords) expect(text.includes(password), `${type} ${name}`).toBe(false);
    }
  });

  test("everything that takes a label says whose it is", () => {
    const labelled = made.filter(({ type }) => type.startsWith("docker:") && !/Image$/.test(type));
    for (const { name, properties } of labelled) {
      expect(properties.labels, name).toEqual([
        { label: "oneoff.stack", value: "oneoff-swarm" },
        { label: "oneoff.owner", value: "oneoff/swarm" },
      ]);
    }
  });

  test("nothing has a volume with a name, so nothing stays on a node", () => {
    const mounts = made.flatMap(({ properties }) => {
      const spec = properties.taskSpec as
        | { containerSpec: { mounts?: { type: string; source?: string }[] } }
        | undefined;
      return spec?.containerSpec.mounts ?? [];
    });
    expect(mounts.filter(({ type }) => type === "volume").length).toBeGreaterThan(2);
    for (const { type, source } of mounts) expect(type === "bind" || source === undefined).toBe(true);
    expect(made.some(({ type }) => type.endsWith(":Volume"))).toBe(false);
  });
});

describe("one stack through its life", { timeout: 300_000 }, () => {
  let project: Engine;
  const up = (...more: readonly string[]) =>
    project.mustPulumi("up", "--yes", "--skip-preview", "--stack", under.stack, ...more);
  const set = (key: string, value: string) => project.mustPulumi("config", "set", key, value, "--stack", under.stack);
  const since = (before: number) =>
    project.provider.events.slice(before).map(({ what, type, name }) => `${what} ${type.split(":").at(-1)} ${name}`);
  beforeAll(async () => {
    project = await engine(under);
    await up();
  }, 120_000);
  afterAll(() => project.remove());

  test("more workers change one service, and wait for it", async () => {
    const before = project.provider.events.length;
    await set("oneoff:workers", "5");
    await up();
    expect(since(before)).toEqual(["update Service cluster-worker", "update Services cluster-services"]);
  });

  test("a new run id makes a run of its own, and ends the one before", async () => {
    const before = project.provider.events.length;
    await set("oneoff:runId", "2");
    await up();
    const events = since(before);
    expect([...events].sort()).toEqual([
      "create Secret cluster-run-2-secret",
      "create Service cluster-run-2",
      "create ServiceConfig cluster-run-2-config",
      "delete Secret cluster-run-1-secret",
      "delete Service cluster-run-1",
      "delete ServiceConfig cluster-run-1-config",
    ]);
    expect(events.indexOf("delete Service cluster-run-1")).toBe(3);
  });

  test("a changed job is for the next run: the one that was made stays", async () => {
    const before = project.provider.events.length;
    await set("oneoff:households", "7");
    await up();
    expect(since(before)).toEqual([]);
  });

  test("without MongoDB the run keeps what it was given, so that nothing in use is deleted", async () => {
    const before = project.provider.events.length;
    await set("oneoff:mongo", "false");
    await up();
    expect(since(before).filter((event) => /run-2/.test(event))).toEqual([]);
    expect(since(before)).toContain("delete Service cluster-mongo");
    await set("oneoff:mongo", "true");
    await up();
  });

  test("the outputs are ready to use", async () => {
    const text = await project.mustPulumi("stack", "output", "--json", "--stack", under.stack);
    const outputs = JSON.parse(text.replaceAll(`${project.folder}/.oneoff`, ""));
    expect(outputs).toMatchInlineSnapshot(`
      {
        "cluster": "swarm",
        "dashboard": "http://127.0.0.1:8765",
        "deadline": "12 hours",
        "hdfs": "http://127.0.0.1:8768/",
        "history": "http://127.0.0.1:8767/",
        "lake": "/swarm-lake",
        "logs": "/swarm-lake/_logs/2",
        "mongo": "http://127.0.0.1:8770/",
        "mongoExpressPassword": "[secret]",
        "network": "oneoff-swarm",
        "notebook": "http://127.0.0.1:8769/lab",
        "notebookToken": "[secret]",
        "run": "2",
        "service": "oneoff-swarm-run-2",
        "spark": "http://127.0.0.1:8766/",
      }
    `);
  });
});

test("what is refused, is refused before anything is made", { timeout: 300_000 }, async () => {
  await provesRefusals(under, [
    [{ "oneoff:workers": "0" }, 'oneoff:workers is "0": expected a number above zero'],
    [{ "oneoff:replication": "3" }, "oneoff:replication is 3 and oneoff:datanodes is 1: a block has at most one copy"],
  ]);
});

test("a failure at one resource of each kind leaves nothing after destroy", { timeout: 900_000 }, async () => {
  const kinds = new Map(made.map((resource) => [resource.type, resource]));
  await provesFailures(under, [...kinds.values()]);
});
