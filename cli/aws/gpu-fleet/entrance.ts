import type { UserKey } from "../../../components/aws/fleet/keys.ts";
import type { Entrance } from "../../fleet.ts";
import { nodesOf, type SeenFleet } from "./seen.ts";

/** How the machines that run are entered: by Session Manager, as no port of theirs is open. */
export const entranceOf = (seen: SeenFleet, region: string, users: readonly UserKey[]): Entrance => ({
  carrier: `aws:${region}`,
  hosts: nodesOf(seen)
    .filter(({ machine }) => machine.state === "running")
    .map(({ name, machine, report }) => ({ name, machine: machine.id, hostKeys: report?.hostKeys ?? [] })),
  users: [...new Set(users.map(({ name }) => name))],
  otherwise: `aws ssm start-session --region ${region} --target %h --document-name AWS-StartSSHSession --parameters portNumber=%p`,
});
