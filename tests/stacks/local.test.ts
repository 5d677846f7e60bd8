import { expect, test } from "vitest";
import { programs } from "../../stacks/index.ts";
import { engine, provesFailures, provesLifecycle, type StackUnderTest } from "../engine/harness.ts";

const local: StackUnderTest = {
  stack: "local",
  packages: ["oneoff-local"],
  config: { "oneoff:rows": "100", "oneoff:cores": "2" },
  fake: {
    outputs: (type) => (type.endsWith(":Server") ? { url: "http://127.0.0.1:1" } : { state: "running", logs: "/logs" }),
    replaces: (type) => (type.endsWith(":Run") ? ["run", "lake"] : []),
  },
};

test("local: up, an empty second up, and destroy to nothing; and so after a failure at each resource", async () => {
  const made = await provesLifecycle(local);
  expect(made.map(({ type, name }) => `${type} ${name}`).sort()).toEqual([
    "oneoff-local:index:Folder lake-folder",
    "oneoff-local:index:Run cluster-run",
    "oneoff-local:index:Server dashboard-server",
  ]);
  await provesFailures(local, made);
}, 120_000);

test("local: a new run id makes one new run and touches nothing else", async () => {
  const project = await engine(local);
  try {
    await project.mustPulumi("up", "--yes", "--skip-preview", "--stack", "local");
    const before = project.provider.events.length;
    await project.mustPulumi("config", "set", "oneoff:runId", "2", "--stack", "local");
    await project.mustPulumi("up", "--yes", "--skip-preview", "--stack", "local");
    expect(project.provider.events.slice(before).map(({ what, name }) => `${what} ${name}`)).toEqual([
      "create cluster-run",
      "delete cluster-run",
    ]);
  } finally {
    project.remove();
  }
}, 60_000);

test.each([
  [{ "oneoff:program": "nope" }, `there is no program "nope" in stacks/; there are ${programs().join(", ")}`],
  [{ "oneoff:rows": "0" }, 'oneoff:rows is "0": expected a number above zero'],
])(
  "local: %j is refused before anything is made, in one line",
  async (config, message) => {
    const project = await engine({ ...local, config });
    try {
      const { code, output } = await project.pulumi("up", "--yes", "--skip-preview", "--stack", "local");
      expect(code).not.toBe(0);
      expect(output).toContain(message);
      expect(output).not.toMatch(/^\s+at /m);
      expect(project.provider.events).toEqual([]);
    } finally {
      project.remove();
    }
  },
  60_000,
);
