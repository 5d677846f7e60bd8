import { randomBytes } from "node:crypto";
import type { LakeStore } from "../../../clients/lake/store.ts";
import type { Fleet } from "../../fleet.ts";
import { whatWent } from "../../fleet-answer.ts";
import type { StackContext } from "../../platform.ts";
import { stopSignal } from "../../waiting.ts";
import { explainErrors } from "../client.ts";
import { openLake } from "../lake.ts";
import { regionOf } from "../region.ts";
import { entranceOf } from "./entrance.ts";
import { lifeOf } from "./life.ts";
import { FleetCloud, type FleetIdentity } from "./machines.ts";
import type { FleetOutputs } from "./outputs.ts";
import { push } from "./push.ts";
import { readPower, readReports } from "./reports.ts";
import { ask, checkHead } from "./requests.ts";
import type { SeenFleet } from "./seen.ts";
import { statusOf } from "./status.ts";
import { toldUsers, userAdmin } from "./users.ts";
import { wake } from "./wake.ts";

/** Machines report each minute. */
const POLL_MS = 10_000;

/** How a stack's fleet is told from others. */
export const identityOf = (stack: StackContext, { lake, fleet }: FleetOutputs): FleetIdentity => ({
  region: regionOf(stack),
  stack: `${stack.files.project}/${stack.files.stack}`,
  bucket: lake.replace(/^s3:\/\/([^/]+).*$/, "$1"),
  fleet,
});

/** Looks at all there is to see of it. */
export async function seeFleet(
  stack: string,
  { fleet, deadline, bill }: FleetOutputs,
  cloud: FleetCloud,
  lake: LakeStore,
): Promise<SeenFleet> {
  const [machines, reports] = await Promise.all([cloud.all(), readReports(lake, fleet)]);
  return { ...machines, ...reports, stack, deadline, bill, now: new Date() };
}

/** A fleet on EC2: no machine of it is asked for anything, but what they leave in the lake is read. */
export function fleetOf(stack: StackContext, outputs: FleetOutputs): Fleet {
  const lake = openLake(stack, outputs.lake);
  const identity = identityOf(stack, outputs);
  const cloud = new FleetCloud(identity);
  const see = () => explainErrors(seeFleet(stack.name, outputs, cloud, lake));
  return {
    pollMs: POLL_MS,
    users: userAdmin(stack, lake, outputs.fleet, see),
    entrance: async () => entranceOf(await see(), identity.region, await toldUsers(lake, outputs.fleet)),
    wake: () => explainErrors(readPower(lake, outputs.fleet).then((power) => wake(stack.name, cloud, power))),
    status: async () => statusOf(await see()),
    why: async () => lifeOf(await see()).why,
    push: (source, target, options) => explainErrors(push(identity, lake, see, { ...options, source, target })),
    async reset(say) {
      checkHead(await see());
      const asked = {
        lake,
        fleet: outputs.fleet,
        id: `reset-${randomBytes(8).toString("hex")}`,
        say,
        stop: stopSignal(),
      };
      return whatWent(await explainErrors(ask(asked, { command: "reset", asked: new Date().toISOString() })));
    },
  };
}
