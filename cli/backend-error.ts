/** What Pulumi says of a backend that it can't use, in a sentence that names it. */
import { Exit, LoginError, UsageError } from "../core/errors.ts";
import { ownBackend } from "../engine/backend.ts";

/** Pulumi itself could not do it. */
export class PulumiError extends UsageError {
  override readonly exit: Exit;

  /** @param exit Pulumi's own, where it is passed on. */
  constructor(message: string, cure?: string, exit: number = Exit.failed) {
    super(message, cure);
    this.exit = exit as Exit;
  }
}

/** @param stderr of Pulumi. @returns undefined when it is about something else. */
export function backendProblem(stderr: string, stack: string): UsageError | undefined {
  if (/currently locked|Another update is currently in progress/.test(stderr)) return locked(stderr, stack);
  const backend = (process.env.PULUMI_BACKEND_URL ?? ownBackend() ?? "of this project").replace(/\/\/[^/@]*@/, "//");
  if (/PULUMI_ACCESS_TOKEN must be set/.test(stderr)) {
    const cure = 'log in with "pulumi login", or set PULUMI_ACCESS_TOKEN';
    return new LoginError(`you are not logged in to the Pulumi backend ${backend}: ${cure}`, cure);
  }
  if (!/unable to open bucket|blob \(key|missing google credentials/.test(stderr)) return undefined;
  const [, why = ""] = /^error: (.*)/m.exec(stderr) ?? [];
  const cure = '"npx pulumi login", or PULUMI_BACKEND_URL, says where it is, and it has to be there and yours to write';
  const problem = `the Pulumi backend ${backend} can't be used: ${why}; ${cure}`;
  return /credentials/i.test(why) ? new LoginError(problem, cure) : new PulumiError(problem, cure);
}

function locked(stderr: string, stack: string): PulumiError {
  const [, by = "somebody", at] = /created by (.+) at (\S+)$/m.exec(stderr) ?? [];
  const cure = `wait for its end, or where it was killed: npx pulumi cancel${/ /.test(stack) ? "" : ` --stack ${stack}`}`;
  const since = at === undefined ? "" : ` since ${at}`;
  return new PulumiError(`the stack is locked by ${by}${since}, at work on it: ${cure}`, cure);
}
