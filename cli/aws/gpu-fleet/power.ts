/** What is said of whether a fleet's machines run: what its owner set, the clock, and what the reaper did of it. */
import { UsageError } from "../../../core/errors.ts";
import { type FleetPower, REST_SECONDS } from "../../../core/fleet-lake.ts";
import { clock, minute } from "../../when.ts";
import type { SeenFleet } from "./seen.ts";

const startsIt = (stack: string): string =>
  `"npx pulumi config set oneoff:power on --stack ${stack}" and "npx pulumi up --stack ${stack}" start it`;

/** @throws UsageError for a fleet that the reaper would stop again. */
export function checkWakeable(stack: string, power: FleetPower | undefined): void {
  if (power?.power === "off") throw new UsageError(`oneoff:power of stack ${stack} is off: ${startsIt(stack)}`);
}

/** How a fleet that sleeps comes back. */
export function wakesBy({ stack, power, reaper }: SeenFleet): string {
  if (power?.power === "off") return `its oneoff:power is off, and ${startsIt(stack)}`;
  const { power: told, clock } = reaper ?? {};
  const isComing = told && (told.state === "on" ? !told.done : power?.power === "on");
  if (isComing) return "it was told to be on, and the reaper, which looks every 5 minutes, starts them";
  const byClock = clock ? `, and the clock at ${minute(clock.on)} UTC` : "";
  return `"npx --no oneoff fleet wake ${stack}" starts them${byClock}`;
}

/** Why its machines are being stopped whoever works there; undefined when they aren't. */
export function whyOff({ power, reaper }: SeenFleet): string | undefined {
  if (power?.power === "off") return "its oneoff:power is off";
  const told = reaper?.power;
  return told?.state === "off" && !told.done && told.at ? `the clock said so at ${minute(told.at)} UTC` : undefined;
}

/** What the nodes that are due to be stopped still wait for; empty when they aren't due, or wait for nothing. */
export function whyStillOn({ reaper, members, nodes }: SeenFleet): string {
  if (reaper?.stopping === undefined || reaper.nodesStop === null || nodes.some(({ rests }) => rests)) return "";
  const latest = clock(new Date(Date.parse(reaper.stopping) + REST_SECONDS * 1000));
  const why =
    members?.state === "running"
      ? `can't rest while data nodes give up their blocks (${members.said.at(-1) ?? "which has just begun"})`
      : "is brought to rest";
  return `HDFS ${why}, which is waited for until ${latest} UTC`;
}
