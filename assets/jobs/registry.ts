import { quote, UsageError } from "../../core/errors.ts";
import type { Job } from "../../core/job.ts";
import { inSettingsOf, type SettingsSchema } from "../../core/settings.ts";
import { failures } from "./failures/index.ts";
import { failuresSettings } from "./failures/settings.ts";
import { londonPower } from "./london-power/index.ts";
import { londonPowerSettings } from "./london-power/settings.ts";
import { nids } from "./nids/index.ts";
import { nidsSettings } from "./nids/settings.ts";
import { streamingRegression } from "./streaming-regression/index.ts";
import { streamingRegressionSettings } from "./streaming-regression/settings.ts";
import { xo } from "./xo/index.ts";
import { xoSettings } from "./xo/settings.ts";

/** A job that a stack can be told to run by name, and the settings it adds to the stack's. */
export interface JobKind {
  readonly about: string;
  readonly settings: SettingsSchema;
  /** Makes the job; takes the stack's parsed settings, of which it reads its own. */
  readonly create: (settings: object) => Job;
}

/** The jobs that come with the package, by the name that `oneoff:job` takes. */
export const jobs: Readonly<Record<string, JobKind>> = {
  xo: { about: "Which size of neural network tells X, O and background apart", settings: xoSettings, create: xo },
  "london-power": {
    about: "What London's households use, by Acorn group, tariff and half hour, and models that predict it",
    settings: londonPowerSettings,
    create: (settings) => inSettingsOf(londonPowerSettings, {})(() => londonPower(settings)),
  },
  nids: {
    about: "Which network flows are attacks: three networks that find them, and the best that can be found",
    settings: nidsSettings,
    create: (settings) => inSettingsOf(nidsSettings, {})(() => nids(settings)),
  },
  failures: {
    about: "Which logs foretell a failure: how early, at how many false alarms, and the best that can be foretold",
    settings: failuresSettings,
    create: (settings) => inSettingsOf(failuresSettings, {})(() => failures(settings)),
  },
  "streaming-regression": {
    about: "A model that learns from Kafka while it predicts, and how wrong it is by then",
    settings: streamingRegressionSettings,
    create: (settings) => inSettingsOf(streamingRegressionSettings, {})(() => streamingRegression(settings)),
  },
};

/** Settings of all of them: any can be among a stack's. `input` is what its job reads. */
export const jobSettings = xoSettings
  .extend(londonPowerSettings.shape)
  .extend(nidsSettings.shape)
  .extend(failuresSettings.shape)
  .extend(streamingRegressionSettings.shape);

/** Names of the jobs that have a setting. */
export const jobsWith = (setting: string): readonly string[] =>
  Object.keys(jobs).filter((name) => Object.hasOwn((jobs[name] as JobKind).settings.shape, setting));

/** @throws UsageError when no job has that name. */
export function jobKind(name = "xo"): JobKind {
  const kind = Object.hasOwn(jobs, name) ? jobs[name] : undefined;
  if (kind) return kind;
  throw new UsageError(
    `oneoff:job is ${quote(name)}: there is no such job; there are ${Object.keys(jobs).join(", ")}; set it with: pulumi config set oneoff:job xo`,
  );
}
