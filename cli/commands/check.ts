import { compiled } from "../../assets/dashboard/panels/compile.ts";
import { lookAt } from "../../assets/dashboard/panels/look.ts";
import { isRefused, type Problem, told } from "../../assets/dashboard/panels/problem.ts";
import type { ShownJob } from "../../components/common/panels.ts";
import { quote } from "../../core/errors.ts";
import { fail } from "../arguments.ts";
import type { OneoffCommand } from "../command.ts";
import { programFiles } from "../program.ts";

export const check: OneoffCommand = {
  describe: (command) =>
    command
      .description("look at the panels of a stack's job, without starting anything")
      .option("-s, --stack <name>", "the stack", "local")
      .action(async ({ stack }: { readonly stack: string }) => {
        const { shownJobs } = await import("../shown.ts");
        const jobs = await shownJobs(programFiles(stack));
        const looked = await Promise.all(jobs.map(look));
        for (const { lines } of looked) for (const line of lines) console.log(line);
        fail(looked.some(({ refused }) => refused));
      }),
};

interface Looked {
  readonly lines: readonly string[];
  readonly refused: boolean;
}

/** Everything that can be told of a job's panels, a line each. */
export async function look({ job, engine }: ShownJob): Promise<Looked> {
  const { otherwiseRead } = await import("../sqlglot.ts");
  const found = await lookAt(job);
  const drawn = await compiled(job.panels.filter((panel) => !found.some((problem) => isChart(problem, panel.name))));
  const read = await otherwiseRead(job.panels);
  const more = (read ?? []).filter(
    ({ panel, engines = [] }) =>
      !found.some(
        (other) => other.panel === panel && engines.every((each) => (other.engines ?? [each]).includes(each)),
      ),
  );
  const problems = [...found, ...(drawn ?? []), ...more];
  const line = (problem: Problem) =>
    `${isRefused(problem, engine) ? "error  " : "warning"}  job ${quote(job.name)}, ${told(problem)}`;
  const refused = problems.some((problem) => isRefused(problem, engine));
  const number = job.panels.length;
  const panels = `${number} panel${number === 1 ? "" : "s"}`;
  return {
    refused,
    lines: [
      ...problems.map(line),
      ...(drawn
        ? []
        : ["not looked at: whether the charts compile, since the page is not built here: npx oneoff setup"]),
      ...(read
        ? []
        : [
            "not looked at: whether Athena and BigQuery parse the SQL alike, since sqlglot is not here: npx oneoff setup",
          ]),
      `job ${quote(job.name)}: ${panels} of it looked at, as ${engine} shows them: ${refused ? "refused" : "fine"}`,
    ],
  };
}

const isChart = ({ panel, isHint, engines }: Problem, name: string): boolean =>
  panel === name && !isHint && engines === undefined;
