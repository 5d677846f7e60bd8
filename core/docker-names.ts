/**
 * Label of everything that a stack has in Docker, by which it is found. Two stacks may have the same value, whose projects
 * and stacks differ in where the dash between them is.
 */
export const LABEL = "oneoff.stack";

/** Label that says whose it is: project and stack as they are, "oneoff/swarm". What an older version made has none. */
export const OWNER = "oneoff.owner";

/** The value of {@link LABEL}, with which the names of all that a stack has in Docker begin too: a Swarm has one space of names for all. */
export const dockerName = (project: string, stack: string): string =>
  `${project}-${stack}`.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-");
