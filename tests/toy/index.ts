/** The program of a stack on a kind of cluster that nobody needs: tests/cli/toy.test.ts puts this folder into the product. */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import * as pulumi from "@pulumi/pulumi";
import { z } from "zod";
import { stackProgram } from "../../components/common/stack.ts";
import { ceiling } from "../../core/bill.ts";
import { count, port, runId } from "../../core/settings.ts";

const AGENT = fileURLToPath(new URL("agent.sh", import.meta.url));

const settings = z.object({
  runId: runId().default("1").describe("Names the run"),
  box: z.string().default("/nowhere/box").describe("Folder with all of Toyland"),
  bricks: count().default(3).describe("Machines"),
  port: port().default(8765).describe("Port of the pages"),
});

class ToyCluster extends pulumi.ComponentResource {
  constructor(name: string, box: string, run: string) {
    super("toy:index:Cluster", name);
    if (!pulumi.runtime.isDryRun()) spawn("sh", [AGENT, box, run], { detached: true, stdio: "ignore" }).unref();
    this.registerOutputs({});
  }
}

export default stackProgram({
  about: "A job on a toy",
  rents: true,
  settings: () => settings,
  run({ runId, box, bricks, port }) {
    const owner = new pulumi.Config("toy").require("owner");
    const bill = [{ what: `${bricks} bricks of ${owner}`, usdPerHour: bricks / 10, hours: 2, usd: bricks / 5 }];
    new ToyCluster("cluster", box, runId);
    return { cluster: "toy", run: runId, lake: "toy://lake", box, port, bill, ceiling: ceiling(bill) };
  },
});
