import { Docker } from "../../clients/docker.ts";
import { dockerName, LABEL } from "../../core/docker-names.ts";
import { filesIfAny, type StackFiles } from "../config.ts";

/** The docker command of a stack of this project. */
export const dockerOf = (stack: string): Docker => new Docker(filesIfAny(stack)?.config ?? {});

/** Makes commands of docker that list things list those of a stack. */
export const filterOf = ({ project, stack }: Pick<StackFiles, "project" | "stack">): readonly string[] => [
  "--filter",
  `label=${LABEL}=${dockerName(project, stack)}`,
];
