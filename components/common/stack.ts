import type * as pulumi from "@pulumi/pulumi";
import type { z } from "zod";
import { jobsWith } from "../../assets/jobs/registry.ts";
import { parseSettings, type SettingsSchema } from "../../core/settings.ts";
import { noteSettings } from "./run-origin.ts";

/** A program of stacks/: what it makes, and the settings it takes. */
export interface StackProgram<S extends SettingsSchema = SettingsSchema> {
  /** One sentence of what it makes. */
  readonly about: string;
  /** Whether it rents anything; such a stack never gets the defaults that are for this machine only. */
  readonly rents: boolean;
  /** Its settings; `given` is the configuration, because which job is chosen decides what more can be set. */
  readonly settings: (given: Readonly<Record<string, string>>) => S;
  /** Makes the resources and returns the stack's outputs. */
  run(settings: z.output<S>): pulumi.Inputs;
}

/** Gives a program the types of its settings. */
export const stackProgram = <S extends SettingsSchema>(program: StackProgram<S>): StackProgram<S> => program;

/**
 * A program's settings.
 *
 * @param config of the stack: full keys to text.
 * @throws UsageError for what the program refuses.
 */
export function settingsOf(program: StackProgram, config: Readonly<Record<string, string>>): z.output<SettingsSchema> {
  const { "oneoff:program": _, ...given } = config;
  const schema = program.settings(given);
  const settings = parseSettings(schema, given, (key) => {
    const jobs = jobsWith(key);
    const job = schema.shape.job?.safeParse(given["oneoff:job"]).data;
    if (jobs.length === 0) return undefined;
    return `a setting of job ${jobs.join(" and ")}${job === undefined ? "" : `, and this stack's job is ${job}`}`;
  });
  noteSettings(settings);
  return settings;
}
