import type { StackProgram } from "../components/common/stack.ts";
import { MissingError, quote, UsageError } from "../core/errors.ts";
import { loadProgram, programs } from "../stacks/index.ts";
import { filesIfAny, type StackFiles } from "./config.ts";
import type { RehearsedResource } from "./platform.ts";
import type { Rehearsal } from "./rehearse.ts";

/** Name of a stack's program among those that come with this package: what its settings name, else its own name. */
export const programName = ({ config, stack }: StackFiles): string => config["oneoff:program"] ?? stack;

/**
 * The program of a stack.
 * @throws UsageError when there is no such program, or the project has a program of its own.
 */
export async function programOf(files: StackFiles): Promise<StackProgram> {
  if (files.bundled) return loadProgram(programName(files));
  throw new UsageError(
    `stack ${files.stack} is made by a program of your own, and this command is for those that come with pulumi-oneoff (${programs().join(", ")}): outside of your project it tells of them`,
  );
}

/**
 * What the program of the user's own would do, told without making anything.
 * @throws UsageError for what the program refuses.
 */
export const rehearseOwn = async (files: StackFiles): Promise<Rehearsal> =>
  (await import("./rehearse-own.ts")).rehearseOwn(files);

/**
 * What is set for a stack whose program comes with this package; outside of a project that is nothing.
 * @throws UsageError when there is no project, and no such program either.
 */
export function programFiles(stack: string): StackFiles {
  const files = filesIfAny(stack);
  if (files) return files;
  if (programs().includes(stack)) {
    return { project: "oneoff", stack, others: [], config: {}, secret: [], bundled: true };
  }
  throw new MissingError(
    `there is no program ${quote(stack)}, and no Pulumi.yaml here or above: give this command in the folder of the project, or for one of ${programs().join(", ")}`,
  );
}

/** What a program asks for, with its defaults where its settings are refused. */
export async function resourcesOf(
  program: StackProgram,
  files: StackFiles,
): Promise<{ readonly resources: readonly RehearsedResource[]; readonly refused?: UsageError }> {
  const { rehearse } = await import("./rehearse.ts");
  // What a secret says makes no difference to what is asked for.
  const config = { ...Object.fromEntries(files.secret.map((key) => [key, "secret"])), ...files.config };
  try {
    return { resources: (await rehearse(program, { ...files, config })).resources };
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    const plain = { ...files, config: {}, secret: [] };
    const { resources } = await rehearse(program, plain).catch(() => ({ resources: [] }));
    return { resources, refused: error };
  }
}
