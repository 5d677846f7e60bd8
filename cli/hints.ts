import { UsageError } from "../core/errors.ts";

/** What words of other tools are called here. None is carried out: what sounds alike may end or cost something. */
const HINTS: Readonly<Record<string, string>> = {
  ...Object.fromEntries(
    ["stop", "kill"].map((word) => [word, "to end a run and keep its results: oneoff cancel; to end all: oneoff down"]),
  ),
  ...Object.fromEntries(["ps", "queue", "list", "ls", "history"].map((word) => [word, "to list runs: oneoff runs"])),
  ...Object.fromEntries(
    ["launch", "apply", "deploy", "create"].map((word) => [word, "to bring a stack up: oneoff up"]),
  ),
  ...Object.fromEntries(
    ["delete", "rm", "remove", "terminate", "dn"].map((word) => [
      word,
      "to end a stack with all it has: oneoff down; to remove runs: oneoff runs rm",
    ]),
  ),
  config: "to see what can be set: oneoff settings; to set it: pulumi config set",
  dashboard: "to open the dashboard: oneoff open",
  console: "to open the dashboard: oneoff open",
  rerun: "to compute again: oneoff run",
  clean: "to see what is left, and remove it: oneoff leftovers",
  prune: "to see what is left, and remove it: oneoff leftovers",
  describe: "to see how a stack does: oneoff status",
  output: "to see a stack's outputs: pulumi stack output; its tables: oneoff get",
  preview: "to see what it would cost: oneoff cost; what it would make: pulumi preview",
  version: "to see the version: oneoff --version",
};

/** Words that have a hint. */
export const hintedWords: readonly string[] = Object.keys(HINTS);

/** @throws UsageError for a word that means something in another tool. */
export function refuseForeignWord(word: string): void {
  const hint = Object.hasOwn(HINTS, word) ? HINTS[word] : undefined;
  if (hint !== undefined) throw new UsageError(`there is no command "${word}": ${hint}`);
}
