import { setAllConfig } from "@pulumi/pulumi/runtime/config.js";
import { afterEach, describe, expect, test } from "vitest";
import { xo } from "../../assets/jobs/xo/index.ts";
import { outputs, type StackParts } from "../../components/index.ts";
import { LocalCluster, LocalDashboard, LocalLake } from "../../components/local/index.ts";
import { UsageError } from "../../core/errors.ts";
import { record, result, settle } from "./mocks.ts";

record();
const job = xo({ rows: 50 });
let made = 0;

/** A cluster with that run id, its lake and a dashboard. */
function parts(runId?: string) {
  const name = `own${++made}`;
  const lake = new LocalLake(`${name}-lake`, { job, path: "/results" });
  const cluster = new LocalCluster(name, {
    lake,
    lifetime: { deadline: "5 minutes" },
    ...(runId !== undefined && { runId }),
  });
  return { cluster, dashboard: new LocalDashboard(`${name}-page`, { lake }) };
}

const setRunId = (runId?: string) => setAllConfig(runId === undefined ? {} : { "oneoff:runId": runId }, []);
afterEach(() => setRunId());

const bill = [{ what: "a machine", usdPerHour: 1, hours: 2, usd: 2.001 }];

test("outputs are all that the commands read, with the bill and what it comes to where there is one", async () => {
  const { cluster, dashboard } = await settle(() => parts());
  const own: Record<string, unknown> = { ...outputs({ cluster, dashboard }), mine: 1 };
  expect(Object.keys(own)).toEqual(["cluster", "run", "lake", "logs", "dashboard", "mine"]);
  expect(own).toMatchObject({ cluster: "local", run: "1" });
  expect(await result(own.dashboard as typeof dashboard.url)).toBe("http://mock");
  expect(outputs({ cluster })).not.toHaveProperty("dashboard");
  expect(outputs({ cluster, bill })).toMatchObject({ bill, ceiling: 2.01 });
});

describe("a run's id", () => {
  test("is the stack's setting, which oneoff run sets, where the program gives none", async () => {
    setRunId("2026-11-30");
    const { cluster } = await settle(() => parts());
    expect(cluster.runId).toBe("2026-11-30");
    expect(outputs({ cluster }).run).toBe("2026-11-30");
    expect((await settle(() => parts("mine"))).cluster.runId).toBe("mine");
    setRunId("no id");
    await expect(settle(async () => parts())).rejects.toThrow('oneoff:runId is "no id": expected 1 to 63 letters');
  });

  test("of the program's own is refused where another is set, since that run would never be made", async () => {
    const { cluster } = await settle(() => parts("mine"));
    expect(outputs({ cluster }).run).toBe("mine");
    setRunId("mine");
    expect(outputs({ cluster }).run).toBe("mine");
    setRunId("b");
    expect(() => outputs({ cluster })).toThrow(
      'oneoff:runId is "b", and the program\'s cluster has runId "mine": leave its runId out, which takes the setting, or give it new pulumi.Config("oneoff").get("runId")',
    );
  });
});

test.each<[(parts: Required<Pick<StackParts, "cluster" | "dashboard">>) => unknown, string]>([
  [
    ({ cluster }) => ({ cluster, lake: {} }),
    'outputs is given "lake": there are cluster, dashboard, bill; the cluster knows',
  ],
  [() => ({}), "outputs is given no cluster of pulumi-oneoff: give the component itself"],
  [() => undefined, "outputs is given no cluster of pulumi-oneoff"],
  [() => ({ cluster: "local" }), "outputs is given no cluster of pulumi-oneoff"],
  [({ cluster }) => ({ cluster, dashboard: "http://127.0.0.1:1" }), "outputs is given no dashboard of pulumi-oneoff"],
  [({ cluster }) => ({ cluster, bill: 5 }), "outputs is given a bill that is none: give the lines"],
])("what is no part of a stack is refused: %#", async (wrong, message) => {
  const made = await settle(() => parts());
  const attempt = () => outputs(wrong(made) as StackParts);
  expect(attempt).toThrow(UsageError);
  expect(attempt).toThrow(message);
});
