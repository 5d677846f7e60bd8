import type { SettingsSchema } from "../../components/core/settings.ts";
import type { Job } from "../../components/job/job.ts";
import { xo, xoSettings } from "./xo/index.ts";

export { type XoArgs, xo } from "./xo/index.ts";

/** A job that a stack can be told to run by name, and the settings it adds to the stack's. */
export interface JobKind {
  readonly about: string;
  readonly settings: SettingsSchema;
  /** Makes the job; takes the stack's parsed settings, of which it reads its own. */
  readonly create: (settings: never) => Job;
}

/** The jobs that come with the package, by the name that `oneoff:job` takes. */
export const jobs: Readonly<Record<string, JobKind>> = {
  xo: { about: "Which size of neural network tells X, O and background apart", settings: xoSettings, create: xo },
};
