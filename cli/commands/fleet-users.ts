/** `oneoff fleet users`: who may enter a fleet's machines. */
import type { Command } from "commander";
import { Exit, UsageError } from "../../core/errors.ts";
import { answerJson } from "../answer.ts";
import { jsonOption, type StackOptions, stackOption, takesStack, withExamples } from "../arguments.ts";
import { type Column, tableLines, widthOf } from "../columns.ts";
import type { FleetUser, FleetUsers, UserAdmin } from "../fleet.ts";
import { meantUp } from "../meant-stack.ts";
import { fleetOf } from "../registry.ts";
import { minute } from "../when.ts";

interface ListOptions extends StackOptions {
  readonly json?: boolean;
}

export function describeUsers(command: Command): void {
  withExamples(
    takesStack(command.command("list"))
      .description("List them, with the fingerprints of their keys, and since when each machine knows.")
      .addOption(jsonOption())
      .action((word, _, command) => list(word, command.optsWithGlobals())),
    { "oneoff fleet users list": "as ssh-keygen -l shows keys" },
    { [Exit.no]: "a machine admits nobody, or the folder says something else" },
  );
  withExamples(
    command
      .command("add <key> [name]")
      .description("Let somebody in, or give somebody another key: within a minute, without an update.")
      .addOption(stackOption())
      .action(async (key, name, _, command) => {
        const { users } = await usersOf(undefined, command.optsWithGlobals());
        for (const line of await users.add(key, name)) console.log(line);
      }),
    {
      "oneoff fleet users add ada.pub": "whose file is called so",
      "oneoff fleet users add ~/.ssh/id_ed25519.pub ada": "of ada",
    },
  );
  withExamples(
    command
      .command("rm <name>")
      .description("Turn somebody out within a minute: sessions, processes and kernels end.")
      .addOption(stackOption())
      .action(async (name, _, command) => {
        const { users } = await usersOf(undefined, command.optsWithGlobals());
        for (const line of await users.remove(name)) console.log(line);
      }),
    { "oneoff fleet users rm ada": "files stay until the fleet ends" },
    { [Exit.missing]: "there is no such user" },
  );
}

async function usersOf(word: string | undefined, options: StackOptions) {
  const { stack } = await meantUp(word, options);
  const { users } = await fleetOf(stack);
  if (users) return { stack, users };
  throw new UsageError(`the nodes of stack ${stack.name} are processes of this machine: nobody else enters them`);
}

const COLUMNS: readonly Column<FleetUser>[] = [
  { head: "USER", text: ({ name }) => name },
  { head: "KEY", text: ({ type }) => type, rank: 1 },
  { head: "FINGERPRINT", text: ({ fingerprint }) => fingerprint, rank: 2 },
  { head: "NOTE", text: ({ inFolder, onNodes }) => noteOf(inFolder, onNodes), rank: 3 },
];

const noteOf = (inFolder: boolean, onNodes: boolean): string =>
  inFolder ? (onNodes ? "" : "not on the nodes") : "not in the folder";

async function list(word: string | undefined, { json, ...options }: ListOptions): Promise<void> {
  const { stack, users } = await usersOf(word, options);
  const found = await (users as UserAdmin).list();
  if (found.warnings.length > 0) process.exitCode = Exit.no;
  const { folder } = found;
  if (json) return answerJson("users/1", { stack: stack.name, folder, ...found, nodes: found.nodes.map(nodeJson) });
  console.log(listText(found));
}

const nodeJson = ({ name, since }: FleetUsers["nodes"][number]) => ({ name, since });

function listText({ users, nodes, warnings }: FleetUsers): string {
  const columns = COLUMNS.filter((column) => users.some((user) => column.text(user) !== ""));
  const late = nodes.filter(({ since }) => since === undefined).map(({ name }) => name);
  const times = nodes.flatMap(({ since }) => since ?? []).sort();
  const known =
    times.length === 0 ? "" : `${times.length} of ${nodes.length} nodes knew at ${minute(times[0] as string)} UTC`;
  const waits = late.length === 0 ? "" : `not yet: ${late.join(", ")}`;
  return [
    ...(users.length === 0 ? ["Nobody may enter."] : tableLines(users, columns, widthOf(process.stdout))),
    ...(nodes.length === 0 ? [] : [`${[known, waits].filter(Boolean).join("; ")}.`]),
    ...warnings.map((warning) => `Warning: ${warning}`),
  ].join("\n");
}
