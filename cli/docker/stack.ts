import { Docker } from "../../clients/docker.ts";
import { dockerName, LABEL } from "../../core/docker-names.ts";
import type { StackFiles } from "../config.ts";
import { isLoopback } from "../loopback.ts";
import type { StackContext } from "../platform.ts";

/** The docker command of a stack of this project. */
export const dockerOf = ({ files }: StackContext): Docker => new Docker(files.config);

/** Makes commands of docker that list things list those of a stack. */
export const filterOf = ({ project, stack }: Pick<StackFiles, "project" | "stack">): readonly string[] => [
  "--filter",
  `label=${LABEL}=${dockerName(project, stack)}`,
];

/** The address of a stack's daemon where that is on another machine, whose loopback its pages are on. */
export async function machineOf(docker: Docker): Promise<string | undefined> {
  const address = await docker.address();
  if (/^(unix|npipe|fd):/.test(address) || !URL.canParse(address)) return undefined;
  return isLoopback(address) ? undefined : address;
}
