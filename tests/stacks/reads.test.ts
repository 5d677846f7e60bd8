/** What a stack lets its machines read beside the lake: what its job says and setting `reads` does, as its resources have it. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { RehearsedResource } from "../../cli/platform.ts";
import { rehearse } from "../../cli/rehearse.ts";
import { loadProgram } from "../../stacks/index.ts";
import { UNSET } from "../project.ts";

type Settings = Readonly<Record<string, string>>;

async function rehearsed(stack: string, settings: Settings): Promise<readonly RehearsedResource[]> {
  const given = Object.entries({ job: "london-power", ...settings }).map(([key, value]) => [`oneoff:${key}`, value]);
  const config = { "aws:region": "us-west-2", "gcp:region": "europe-west1", ...Object.fromEntries(given) };
  const files = { project: "oneoff", stack, others: [], config, secret: [], bundled: true };
  return (await rehearse(await loadProgram(stack), files)).resources;
}

beforeEach(() => {
  for (const name of UNSET) vi.stubEnv(name, undefined);
});
afterEach(() => vi.unstubAllEnvs());

/** Paths that the workers have of their nodes. */
async function mounted(settings: Settings): Promise<readonly string[]> {
  const worker = (await rehearsed("swarm", settings)).find(({ name }) => name === "cluster-worker");
  const spec = worker?.inputs.taskSpec as { containerSpec: { mounts?: readonly { source: string }[] } } | undefined;
  return spec?.containerSpec.mounts?.map(({ source }) => source) ?? [];
}

test.each<[Settings, readonly string[]]>([
  [{}, []],
  [{ input: "/data/power.csv" }, ["/data/power.csv"]],
  [{ reads: "/maps" }, ["/maps"]],
  [{ input: "/data/power.csv", reads: "/maps" }, ["/maps", "/data/power.csv"]],
  [{ input: "/data/power.csv", reads: "/data,/maps" }, ["/data", "/maps"]],
  [{ input: "webhdfs://namenode:9870/power.csv" }, []],
  [{ input: "s3://bucket/power.csv" }, []],
])("stack swarm with %j mounts %j", async (settings, paths) => expect(await mounted(settings)).toEqual(paths));

test("stack emr-oneoff grants an input in S3, once with what oneoff:reads has", async () => {
  const granted = async (settings: Settings) => {
    const policy = (await rehearsed("emr-oneoff", settings)).find(({ name }) => name === "cluster-nodes-policy");
    return [...String(policy?.inputs.policy).matchAll(/arn:aws:s3:::(?:power|maps)[^"]*/g)].map(([arn]) => arn);
  };
  const input = "s3://power/2013";
  const own = ["arn:aws:s3:::power", "arn:aws:s3:::power/2013", "arn:aws:s3:::power/2013/*"];
  expect(await granted({})).toEqual([]);
  expect(await granted({ input })).toEqual(own);
  expect(await granted({ input, reads: input })).toEqual(own);
  expect(await granted({ input, reads: "s3://maps" })).toEqual([
    ...["arn:aws:s3:::maps", "arn:aws:s3:::maps/*"],
    ...own,
  ]);
});

test("stack dataproc grants no input: it may be public; oneoff:reads names what is to be granted", async () => {
  const granted = async (settings: Settings) =>
    (await rehearsed("dataproc", settings))
      .filter(({ name }) => name.startsWith("cluster-nodes-reads-"))
      .map(({ inputs }) => inputs.bucket);
  const settings = { input: "gs://power/2013" };
  expect(await granted(settings)).toEqual([]);
  expect(await granted({ ...settings, reads: "power" })).toEqual(["power"]);
});
