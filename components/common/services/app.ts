import { arg, quote, refusal } from "../../../core/errors.ts";
import type { Job } from "../../../core/job.ts";
import type { Service } from "../../../core/service.ts";

/** Its Python, ONNX Runtime and what it holds of requests. */
const MEMORY_MEBIBYTES = 512;

/** The table whose rows are models. */
export const MODELS = "networks";

/** @throws UsageError when the application would never find a model. */
export function checkApp(job: Job, app: boolean): boolean {
  const has = (table: string) => job.tables.some(({ name }) => name === table);
  if (!app || (has(MODELS) && has("flows"))) return app;
  throw refusal`${arg("app")} is true, and job ${quote(job.name)} leaves no table ${MODELS} with a model that scores flows: leave it out, or run job nids`;
}

export interface AppPlan {
  /** Address of table `networks` of a lake: the newest run that succeeded has the model. */
  readonly model: string;
  /** Absolute path of a lake that is a folder. */
  readonly folder?: string | undefined;
}

/**
 * Scores network flows with the newest model of job nids, and shows it on a page. It is there before there is a model.
 *
 * @param image one in which ONEOFF_SCORING has the scripts of assets/scoring, those of job nids beside them, and what they import.
 */
export function appService<Text>({ model, folder }: AppPlan, image: Text): Service<Text | string> {
  return {
    name: "app",
    image,
    command: ["app"],
    memoryMebibytes: MEMORY_MEBIBYTES,
    env: { ONEOFF_MODEL: model },
    listens: { http: 8000 },
    pages: [{ name: "app", listen: "http" }],
    mounts: folder === undefined ? [] : [{ path: folder, readOnly: true }],
    health: ["/opt/oneoff/healthy", "app"],
  };
}
