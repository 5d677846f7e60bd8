/** What a fleet's machines and the reaper left in the lake. */
import { readJson, sideBySide } from "../../../clients/lake/read.ts";
import type { LakeStore } from "../../../clients/lake/store.ts";
import { FleetAnswer, FleetPower, fleetKeys, NodeReport, ReaperReport } from "../../../core/fleet-lake.ts";

/** What the lake has of a fleet. */
export interface FleetReports {
  readonly nodes: readonly NodeReport[];
  /** Keys of reports that can't be read. */
  readonly unreadable: readonly string[];
  /** What the head says of data nodes that were to become more or fewer. @default they never were */
  readonly members?: FleetAnswer | undefined;
  /** What machines printed last whose first boot failed, a line by instance. @default none did */
  readonly bootFailures?: ReadonlyMap<string, string> | undefined;
  /** @default it has not looked yet */
  readonly reaper?: ReaperReport | undefined;
  /** Whether its machines are to run. @default on */
  readonly power?: FleetPower | undefined;
}

export const readPower = async (lake: LakeStore, fleet: string): Promise<FleetPower | undefined> =>
  FleetPower.safeParse(await readJson(lake, fleetKeys(fleet).power)).data;

export async function readReports(lake: LakeStore, fleet: string): Promise<FleetReports> {
  const keys = fleetKeys(fleet);
  const nodes: NodeReport[] = [];
  const unreadable: string[] = [];
  const read = async (key: string) => {
    const found = NodeReport.safeParse(await readJson(lake, key)).data;
    // One that tells of another node would be believed about it.
    if (found && `${keys.nodes}${found.node}.json` === key) nodes.push(found);
    else unreadable.push(key);
  };
  const [reaper, members, power, bootFailures] = await Promise.all([
    readJson(lake, keys.reaper),
    readJson(lake, keys.answer("members")),
    readPower(lake, fleet),
    readBootFailures(lake, fleet),
    lake.keys(keys.nodes).then((found) => sideBySide(found, read)),
  ]);
  return {
    nodes,
    unreadable: unreadable.sort(),
    members: FleetAnswer.safeParse(members).data,
    bootFailures,
    reaper: ReaperReport.safeParse(reaper).data,
    power,
  };
}

/** A boot's log is some hundred kilobytes; its end says why. */
const END_BYTES = 4096;
const LOG = ".log";

/** Machines whose loader ended in the middle (assets/fleet/loader.sh), and what it said last. */
async function readBootFailures(lake: LakeStore, fleet: string): Promise<ReadonlyMap<string, string>> {
  const { boot } = fleetKeys(fleet);
  const failures = new Map<string, string>();
  const logs = (await lake.keys(`${boot}/`)).filter((key) => key.endsWith(LOG));
  await sideBySide(logs, async (key) => {
    const end = new TextDecoder().decode((await lake.piece(key, { last: END_BYTES }))?.bytes);
    failures.set(key.slice(boot.length + 1, -LOG.length), end.trim().split("\n").at(-1)?.trim() ?? "");
  });
  return failures;
}
