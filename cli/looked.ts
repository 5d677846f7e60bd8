import { compiled } from "../assets/dashboard/panels/compile.ts";
import { lookAt } from "../assets/dashboard/panels/look.ts";
import { isRefused, type Problem, told } from "../assets/dashboard/panels/problem.ts";
import type { ShownJob } from "../components/common/panels.ts";
import { quote } from "../core/errors.ts";
import { otherwiseRead } from "./sqlglot.ts";

/** What there is to say of a job's panels. */
export interface Looked {
  readonly lines: readonly string[];
  /** Whether a lake would refuse the job, or the page could not show it. */
  readonly refused: boolean;
}

/** Looks at all that can be told of a job's panels before they are run. */
export async function look({ job, engine }: ShownJob): Promise<Looked> {
  const found = await lookAt(job);
  const [drawn, read] = await Promise.all([
    compiled(job.panels.filter(({ name }) => !found.some((problem) => problem.panel === name && isOfAll(problem)))),
    otherwiseRead(job.panels),
  ]);
  const problems = [...found, ...(drawn ?? []), ...(read ?? []).filter((problem) => !isTold(problem, found))];
  const refused = problems.some((problem) => isRefused(problem, engine));
  const count = `${job.panels.length} panel${job.panels.length === 1 ? "" : "s"}`;
  return {
    refused,
    lines: [
      ...problems.map(
        (problem) => `${isRefused(problem, engine) ? "error  " : "warning"}  job ${quote(job.name)}, ${told(problem)}`,
      ),
      ...(drawn ? [] : [unseen("whether the charts compile, since the page is not built here")]),
      ...(read ? [] : [unseen("whether Athena and BigQuery parse the SQL alike, since sqlglot is not here")]),
      `job ${quote(job.name)}: ${count} of it looked at, as ${engine} shows them: ${refused ? "refused" : "fine"}`,
    ],
  };
}

const unseen = (what: string): string => `not looked at: ${what}: npx --no oneoff setup`;

/** Whatever Vega-Lite would say of such a panel is but a consequence. */
const isOfAll = ({ engines, isHint }: Problem): boolean => engines === undefined && !isHint;

/** Whether something with a reason was told of the same panel and engine. */
const isTold = ({ panel, engines = [] }: Problem, found: readonly Problem[]): boolean =>
  found.some((other) => other.panel === panel && engines.every((engine) => isRefused(other, engine)));
