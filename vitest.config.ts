import { matchesGlob, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";
import { TOOLS } from "./tests/tools.ts";

/**
 * Which files need more than npm's packages, and what: a real Docker engine; Spark, DuckDB's servers, Chromium and stand-ins
 * for the clouds' services; Pulumi's engine, with providers that make nothing. All others are `unit`, and fail when they
 * start a process. Files are begun in this order, so that what takes minutes is not left to run alone at the end.
 */
const PROJECTS = {
  docker: ["tests/swarm/swarm*.test.ts"],
  data: [
    "tests/{jobs,dataproc,emr,swarm,steps,fleet,scoring}/python*.test.ts",
    "tests/jobs/sql.test.ts",
    "tests/scoring/browser.test.ts",
    "tests/stacks/{local-run,gpu-fleet-local,streaming-local}.test.ts",
    "tests/provider/*.test.ts",
    "tests/upgrade/{launches,local}.test.ts",
    "tests/cli/{cancel-*,connect,dataproc,doctor,emr,fleet,fleet-{push,ssh},gpu-fleet,leftovers,open,swarm,swarm-buckets,waiting}.test.ts",
    "tests/assets/dashboard/{bigquery,engine,instance,page,process,server,athena-moto,athena-page}*.test.ts",
    "tests/clients/lake.test.ts",
    "tests/assets/{emr-launcher,fleet-stager}/*.test.ts",
    "tests/assets/reaper/reaper.test.ts",
    "tests/assets/dataproc-orchestrator/orchestrator*.test.ts",
    "tests/assets/wheels/{archive,wheel-staging}.test.ts",
    "tests/assets/bundles.test.ts",
    "tests/emr/*.test.ts",
    "tests/swarm/dashboard-image.test.ts",
  ],
  engine: [
    "tests/upgrade/clouds.test.ts",
    "tests/stacks/{dataproc,emr-oneoff,gpu-fleet,swarm,streaming,local,backend}.test.ts",
    "tests/{docs,engine}/*.test.ts",
    "tests/cli/{toy,completion,cost-command,doors,dataproc-doctor,dataproc-leftovers,dataproc-open}.test.ts",
  ],
};

const LISTED = Object.values(PROJECTS).flat();

class AsListed extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification) => {
      const path = relative(fileURLToPath(new URL(".", import.meta.url)), moduleId);
      const found = LISTED.findIndex((glob) => matchesGlob(path, glob));
      return found < 0 ? LISTED.length : found;
    };
    return (await super.sort(files)).sort((a, b) => place(a) - place(b));
  }
}

/** What all projects, and the tests of faults, have in common. */
export const common = {
  reporters: ["default", "./tests/summary.ts"],
  // For what hangs, not for what is slow: machines may be, and whoever waits for something in a test has a limit that is
  // less and says what did not come.
  testTimeout: 180_000,
  hookTimeout: 600_000,
  expect: { poll: { timeout: 60_000 } },
  // Each of the many Node processes that tests start would compile the same modules anew.
  env: { NODE_COMPILE_CACHE: fileURLToPath(new URL(".oneoff/node", import.meta.url)) },
  tags: TOOLS.map(({ name, description, missing }) => ({ name, description, skip: missing() })),
};

export default defineConfig({
  test: {
    ...common,
    // Most tests start processes of their own, which share the machine's cores.
    maxWorkers: 2,
    sequence: { sequencer: AsListed },
    projects: [
      ...Object.entries(PROJECTS).map(([name, include]) => ({
        extends: true as const,
        test: { name, include, globalSetup: name === "data" ? ["tests/spark/setup.ts"] : [] },
      })),
      {
        extends: true,
        test: {
          name: "unit",
          include: ["tests/**/*.test.ts"],
          exclude: [...LISTED, "tests/boot/**", "tests/faults/**", "tests/fleet/**", "tests/streaming/**"],
          setupFiles: ["tests/unit.ts"],
        },
      },
    ],
  },
});
