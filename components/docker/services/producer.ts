import { readFileSync } from "node:fs";
import { join } from "node:path";
import type * as pulumi from "@pulumi/pulumi";
import { producerService } from "../../common/services/producer.ts";
import type { SwarmService } from "../service.ts";

const JOBS = join(import.meta.dirname, "../../../assets/jobs");
const SCRIPTS = { produce: "streaming-regression/produce.py", oneoff: "oneoff.py" } as const;

/** What sends records, with its scripts. @param options as `produceOptions` makes them. */
export const swarmProducer = (options: readonly string[], image: pulumi.Input<string>, user: string): SwarmService => ({
  ...producerService(options, image),
  user,
  files: Object.entries(SCRIPTS).map(([name, script]) => ({
    name: `producer-${name}`,
    path: `/opt/oneoff/producer/${name}.py`,
    content: readFileSync(join(JOBS, script), "utf8"),
  })),
});
