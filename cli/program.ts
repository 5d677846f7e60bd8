import type { StackProgram } from "../components/core/stack.ts";
import { loadProgram } from "../stacks/index.ts";
import type { StackFiles } from "./config.ts";

/**
 * The program of a stack: the one that its settings name, else the one it is called after.
 * @throws UsageError when there is no such program.
 */
export const programOf = (files: StackFiles): Promise<StackProgram> =>
  loadProgram(files.config["oneoff:program"] ?? files.stack);
