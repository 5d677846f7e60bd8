import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { hdfsServices } from "../../../components/common/services/hdfs.ts";
import { Process, type ProcessArgs } from "../../../components/local/process.ts";
import { type LocalService, renderProcesses } from "../../../components/local/processes.ts";
import { isSecret, type Registered, record, settle } from "../mocks.ts";

let resources: Registered[];
beforeAll(() => {
  resources = record().resources;
});
afterEach(() => {
  resources.length = 0;
});

const place = { lake: "/lake", port: 7100, software: { hdfs: { folder: "/hdfs", env: { HADOOP_HOME: "/hadoop" } } } };
const hdfs = (datanodes: number) => hdfsServices({ datanodes, replication: 1 }, "hdfs") as readonly LocalService[];
const one: LocalService = { name: "one", image: "hdfs", memoryMebibytes: 64 };

describe("a group of services as processes", () => {
  test("each is told where it lives, listens and finds the others", () => {
    const { processes, pages } = renderProcesses(hdfs(1), place);
    expect(processes[0]).toEqual({
      name: "namenode",
      lake: "/lake",
      command: ["/hdfs/entrypoint", "namenode"],
      env: {
        ONEOFF_ADDRESS: "127.0.0.1",
        ONEOFF_NAMENODE: "127.0.0.1",
        ONEOFF_NAMENODE_RPC: "7100",
        ONEOFF_NAMENODE_HTTP: "7101",
        ONEOFF_DATANODE: "127.0.0.1",
        ONEOFF_DATANODE_DATA: "7102",
        ONEOFF_DATANODE_IPC: "7103",
        ONEOFF_DATANODE_HTTP: "7104",
        ONEOFF_REPLICA: "1",
        HADOOP_HOME: "/hadoop",
        HDFS_REPLICATION: "1",
        HADOOP_HEAP: "192m",
      },
      files: [],
      disks: ["/data"],
      ports: [7100, 7101],
      memoryMebibytes: 384,
      health: ["/hdfs/healthy", "namenode"],
    });
    expect(processes.map(({ ports }) => ports)).toEqual([
      [7100, 7101],
      [7102, 7103, 7104],
    ]);
    expect(pages).toEqual({ hdfs: "http://127.0.0.1:7101/" });
  });

  test("a replica has a name and ports of its own, and what is added moves nobody's", () => {
    const { processes, address } = renderProcesses(hdfs(2), place);
    const [, first, second] = processes;
    expect(first).toEqual(renderProcesses(hdfs(1), place).processes[1]);
    expect(second).toMatchObject({ name: "datanode-2", ports: [7118, 7119, 7120] });
    expect(second?.env).toEqual({
      ...first?.env,
      ONEOFF_DATANODE_DATA: "7118",
      ONEOFF_DATANODE_IPC: "7119",
      ONEOFF_DATANODE_HTTP: "7120",
      ONEOFF_REPLICA: "2",
    });
    expect([address("datanode-2", "http"), address("namenode", "rpc")]).toEqual(["127.0.0.1:7120", "127.0.0.1:7100"]);
    const more = renderProcesses([...hdfs(3), { ...one, listens: { http: 80 }, replicas: 2 }], place).processes;
    const ports = Object.fromEntries(more.map(({ name, ports }) => [name, ports[0]]));
    expect(ports).toEqual({
      namenode: 7100,
      datanode: 7102,
      "datanode-2": 7118,
      "datanode-3": 7134,
      one: 7105,
      "one-2": 7121,
    });
  });

  test("a page keeps its path, and a name with a dash is a variable", () => {
    const service = { ...one, name: "mongo-express", listens: { http: 8081 } };
    const pages = [{ name: "mongo", listen: "http", path: "/lab" }];
    const rendered = renderProcesses([{ ...service, pages }], place);
    expect(rendered.pages).toEqual({ mongo: "http://127.0.0.1:7100/lab" });
    expect(rendered.processes[0]?.env).toMatchObject({ ONEOFF_MONGO_EXPRESS_HTTP: "7100" });
  });

  test.each<[string, LocalService, number, string]>([
    ["an image that is not there", { ...one, image: "spark" }, 7100, 'service "one" is made of "spark", which is not'],
    ["a service that ends", { ...one, once: true }, 7100, 'service "one" runs once: a process here is one that stays'],
    ["ports beyond the last", { ...one, listens: { a: 1, b: 2 } }, 65_530, "port is 65530: expected a whole number"],
  ])("%s is refused", (_, service, port, message) => {
    expect(() => renderProcesses([service], { ...place, port })).toThrow(message);
  });
});

test("a process is one resource, whose files are secret when one of them is", async () => {
  const known = { name: "known", path: "/etc/known", content: "known" };
  const secret = { name: "secret", path: "/run/secrets/secret", content: "hush!", isSecret: true };
  const args = (files: LocalService["files"] & object) =>
    renderProcesses([{ ...one, files }], place).processes[0] as ProcessArgs;
  await settle(() => [new Process("open", args([known])), new Process("closed", args([known, secret]))]);
  expect(resources.map(({ type, name, custom, inputs }) => [type, name, custom, isSecret(inputs.files)])).toEqual([
    ["oneoff-local:index:Process", "open", true, false],
    ["oneoff-local:index:Process", "closed", true, true],
  ]);
});
