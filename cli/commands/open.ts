import { Option } from "commander";
import { quote, UsageError } from "../../core/errors.ts";
import { portNumber, type StackOptions, takesStack, withExamples } from "../arguments.ts";
import type { OneoffCommand } from "../command.ts";
import { openRoute } from "../connect.ts";
import { stackNamed } from "../meant-stack.ts";
import type { ClusterKind } from "../platform.ts";
import { kindOf, pageNames } from "../registry.ts";
import { stackUp } from "../stack.ts";

interface Options extends StackOptions {
  /** A page of the cluster. @default the dashboard */
  readonly ui?: string;
  /** Port on this machine. @default the page's own, or the next that is free */
  readonly port?: number;
}

export const open: OneoffCommand = {
  describe: (command) =>
    withExamples(
      takesStack(command)
        .addOption(new Option("--ui <page>", "a page of the cluster instead").choices(pageNames))
        .option(
          "--port <port>",
          "the port on this machine; the page's own or the next free one when not given",
          portNumber,
        )
        .action(openPage),
      { "oneoff open": "the dashboard", "oneoff open emr-oneoff --ui jupyter": "another page of the cluster" },
    ),
};

async function openPage(word: string | undefined, { ui, port, ...options }: Options): Promise<void> {
  const name = await stackNamed(word, options);
  const stack = await stackUp(name);
  const kind = kindOf(stack);
  if (ui !== undefined) checkPage(kind, ui, name);
  await openRoute(await (await kind.attach(stack)).route(ui ?? "dashboard"), port);
}

/** @throws UsageError when clusters of this kind have no such page. */
function checkPage({ pages }: ClusterKind, ui: string, stack: string): void {
  if (pages.includes(ui)) return;
  const there = pages.length === 0 ? "none but its dashboard" : new Intl.ListFormat("en-GB").format(pages);
  throw new UsageError(`--ui is ${quote(ui)}, and stack ${stack} has no such page: it has ${there}`);
}
