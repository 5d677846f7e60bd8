import { expect, test } from "vitest";
import type { Resource } from "../engine/fake-provider.ts";
import { provesLifecycle, provesRefusals, type StackUnderTest } from "../engine/harness.ts";
import { fakeDocker } from "./fake-docker.ts";

const under: StackUnderTest = {
  stack: "streaming",
  packages: ["docker", "random", "oneoff-local"],
  fake: fakeDocker,
};

let made: readonly Resource[];
const ofType = (pattern: RegExp) => made.filter(({ type }) => pattern.test(type));

test("up, an empty second up, destroy to nothing", { timeout: 300_000 }, async () => {
  made = await provesLifecycle(under);
  expect(made.map(({ type, name }) => `${type.split(":").at(-1)} ${name}`).sort()).toEqual([
    "Container pipeline-gateway",
    "Folder lake-folder",
    "Network pipeline-network",
    "RandomPassword pipeline-feed",
    "RandomPassword pipeline-salt",
    "RandomPassword pipeline-spark",
    "RemoteImage pipeline-dashboard-image",
    "RemoteImage pipeline-kafka-image",
    "RemoteImage pipeline-spark-image",
    "Secret pipeline-page-secret",
    "Secret pipeline-run-1-secret",
    "Secret pipeline-spark-secret",
    "Service pipeline-history",
    "Service pipeline-kafka",
    "Service pipeline-master",
    "Service pipeline-page",
    "Service pipeline-producer",
    "Service pipeline-run-1",
    "Service pipeline-worker",
    "ServiceConfig pipeline-producer-oneoff-config",
    "ServiceConfig pipeline-producer-produce-config",
    "ServiceConfig pipeline-run-1-config",
    "Services pipeline-services",
    "Volume pipeline-kafka-data-volume",
  ]);
});

test("no service publishes a port, and every port of a container is on the loopback address", () => {
  for (const { name, properties } of ofType(/:Service$/)) {
    expect(properties.endpointSpec, name).toEqual({ mode: "dnsrr" });
    expect(properties.taskSpec, name).toMatchObject({ containerSpec: { capDrops: ["ALL"] } });
  }
  const ports = ofType(/:Container$/).flatMap(
    ({ properties }) => properties.ports as { ip: string; external: number }[],
  );
  expect(ports.map(({ ip, external }) => `${ip}:${external}`)).toEqual([
    "127.0.0.1:8765",
    "127.0.0.1:8766",
    "127.0.0.1:8767",
  ]);
});

test("no secret is in an argument, an environment variable or a config", () => {
  const passwords = ofType(/:RandomPassword$/).map(({ properties }) => properties.result as string);
  expect(passwords).toHaveLength(3);
  for (const { type, name, properties } of ofType(/:(Service|Container|ServiceConfig)$/)) {
    const text = JSON.stringify(properties) + Buffer.from(String(properties.data ?? ""), "base64").toString();
    for (const password of passwords) expect(text.includes(password), `${type} ${name}`).toBe(false);
  }
});

test("everything that takes a label says whose it is", () => {
  const labelled = ofType(/^docker:(?!.*Image$)/);
  expect(labelled.length).toBeGreaterThan(12);
  for (const { name, properties } of labelled) {
    expect(properties.labels, name).toEqual([
      { label: "oneoff.stack", value: "oneoff-streaming" },
      { label: "oneoff.owner", value: "oneoff/streaming" },
    ]);
  }
});

test("what is refused, is refused before anything is made", { timeout: 300_000 }, async () => {
  await provesRefusals(under, [
    [{ "oneoff:brokers": "3" }, "oneoff:brokers is 3: expected 1, as there can be no more brokers than that yet"],
    [{ "oneoff:lake": "s3://bucket/x" }, 'oneoff:lake is "s3://bucket/x": how far the stream is lies there too'],
    [{ "oneoff:retention": "1 MB" }, 'oneoff:retention is "1 MB": expected at least "32 MB"'],
  ]);
});
