import { UsageError } from "../../core/errors.ts";
import { openBrowser } from "../browser.ts";
import { aws, google } from "../cloud.ts";
import type { OpenOptions } from "../options.ts";
import { outputsOf } from "../pulumi.ts";

/** Opens a stack's dashboard, or a page of its cluster, in the browser; stays while what leads there needs it. */
export async function open(stack: string, options: OpenOptions): Promise<void> {
  const outputs = await outputsOf(stack);
  if (outputs.cluster === "emr") return (await aws()).openPage(stack, outputs, options);
  if (outputs.cluster === "dataproc") return (await google()).openPage(stack, outputs, options);
  if (outputs.cluster === "swarm") return (await import("../docker/open.ts")).openPage(stack, outputs, options);
  if (options.ui !== undefined || options.port !== undefined) {
    const option = options.ui === undefined ? "--port" : "--ui";
    throw new UsageError(
      `${option} is for stacks on AWS, Google Cloud or Docker Swarm, and stack ${stack} is on none of them: "npx oneoff open ${stack}" opens its page`,
    );
  }
  if (typeof outputs.dashboard !== "string") throw new UsageError(`stack ${stack} has no dashboard`);
  console.log(outputs.dashboard);
  openBrowser(outputs.dashboard);
}
