import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { Exit, RefusedError, UsageError } from "../../core/errors.ts";
import { answerJson, JsonLines } from "../answer.ts";
import { jsonOption, type StackOptions, stackOption, takesStack, withExamples } from "../arguments.ts";
import { isScreen } from "../columns.ts";
import type { OneoffCommand } from "../command.ts";
import { number } from "../described.ts";
import type { Fleet, FleetStatus } from "../fleet.ts";
import { Follower } from "../follow.ts";
import { describeStack, meantUp } from "../meant-stack.ts";
import type { StackContext } from "../platform.ts";
import { printable } from "../printable.ts";
import { attach, fleetOf } from "../registry.ts";
import { pause, stopSignal } from "../waiting.ts";
import { describeSsh } from "./fleet-ssh.ts";
import { describeUsers } from "./fleet-users.ts";

const POLL_MS = 2000;

interface StatusOptions extends StackOptions {
  readonly follow?: boolean;
  readonly json?: boolean;
}

interface PushOptions extends StackOptions {
  readonly overwrite?: boolean;
  readonly json?: boolean;
}

interface ResetOptions extends StackOptions {
  readonly confirm?: string;
  readonly dryRun?: boolean;
}

export const fleet: OneoffCommand = {
  describe: (command) => {
    withExamples(command, {
      "oneoff fleet status gpu-fleet-local": "every node, what works there, HDFS",
      "oneoff fleet why": "why it isn't idle, or what goes when",
      "oneoff fleet push flows.tgz /data": "unpacked into HDFS, and checked",
      "oneoff fleet users add ada.pub": "who may enter, within a minute",
      "oneoff fleet ssh": "how to enter the machines",
      "oneoff fleet reset": "users' data and kernels away, nodes stay",
    });
    withExamples(
      takesStack(command.command("status"))
        .description("Tell of every node: what it is at, its cores, memory and GPUs, what HDFS holds.")
        .option("-f, --follow", "tell it again until Ctrl-C")
        .addOption(jsonOption())
        .action((word, _, command) => tellStatus(word, command.optsWithGlobals())),
      {
        "oneoff fleet status": "of the selected stack",
        "oneoff fleet status gpu-fleet-local -f": "again and again",
      },
      { [Exit.no]: "a part of the fleet is down, or data is missing" },
    );
    withExamples(
      takesStack(command.command("why"))
        .description("Say in one line why nobody's machines go yet, or when they do.")
        .action(async (word, _, command) => {
          const { stack } = await meantUp(word, command.optsWithGlobals());
          console.log(await (await fleetOf(stack)).why());
        }),
      { "oneoff fleet why": "who works there, or since when nobody does" },
    );
    withExamples(
      command
        .command("push <archive> <folder>")
        .description("Unpack a .tgz into a folder of HDFS: looked through first, each file checked; again goes on.")
        .addOption(stackOption())
        .option("--overwrite", "replace files that are there and others")
        .addOption(jsonOption())
        .action((archive, folder, _, command) => push(archive, folder, command.optsWithGlobals())),
      { "oneoff fleet push flows.tgz /data -s gpu-fleet-local": "to webhdfs and hdfs paths below /data" },
    );
    describeUsers(command.command("users").description("Who may enter the machines, by their public keys."));
    describeSsh(command.command("ssh"));
    withExamples(
      takesStack(command.command("wake"))
        .description("Have workers that went, and nodes that were stopped, come back; they cost again.")
        .action((word, _, command) => wake(word, command.optsWithGlobals())),
      { "oneoff fleet wake": "what went since nobody worked there" },
    );
    withExamples(
      takesStack(command.command("reset"))
        .description("Take away what users have in HDFS, and their kernels. Nodes and results stay.")
        .option("--confirm <stack>", "the stack's name, where nobody can be asked for it")
        .option("--dry-run", "say what it is about")
        .action((word, _, command) => reset(word, command.optsWithGlobals())),
      { "oneoff fleet reset gpu-fleet-local": "asks for the stack's name" },
      { [Exit.refused]: "a run goes on", [Exit.cancelled]: "it was not agreed to" },
    );
  },
};

async function tellStatus(word: string | undefined, { json, follow, ...options }: StatusOptions): Promise<void> {
  const { stack } = await meantUp(word, options);
  const fleet = await fleetOf(stack);
  if (follow) return followStatus(stack.name, fleet, json ?? false);
  const { fleetJson, fleetText } = await import("../fleet-text.ts");
  const status = await fleet.status();
  judge(status);
  if (json) answerJson("fleet/1", { stack: stack.name, ...fleetJson(status) });
  else console.log(fleetText(status));
}

function judge({ warnings }: FleetStatus): void {
  process.exitCode = warnings.length > 0 ? Exit.no : Exit.ok;
}

/** Until Ctrl-C, by which nothing but this command ends. */
async function followStatus(stack: string, fleet: Fleet, json: boolean): Promise<void> {
  const { fleetJson, fleetText } = await import("../fleet-text.ts");
  const { patiently } = await import("../watch.ts");
  const pollMs = fleet.pollMs ?? POLL_MS;
  const stop = stopSignal();
  const isOnScreen = isScreen(process.stdout) && !json;
  const update = isOnScreen ? (await import("log-update")).createLogUpdate(process.stdout) : undefined;
  const lines = json ? new JsonLines("fleet/1", { stack }) : undefined;
  for (let last = ""; !stop.aborted; await pause(stop, pollMs)) {
    const status = await patiently(() => fleet.status(), pollMs, console.error, "the fleet");
    judge(status);
    const text = lines ? JSON.stringify(fleetJson(status), withoutTimes) : fleetText(status);
    if (update) update(printable(text));
    else if (text !== last) lines ? lines.write("status", fleetJson(status)) : console.log(text);
    last = text;
  }
  update?.done();
  lines?.end("left", Number(process.exitCode));
}

/** What changes by itself. */
const withoutTimes = (key: string, value: unknown) => (key === "reported" || key === "usd" ? undefined : value);

async function wake(word: string | undefined, options: StackOptions): Promise<void> {
  const { stack } = await meantUp(word, options);
  const fleet = await fleetOf(stack);
  if (fleet.wake) return console.log(await fleet.wake());
  throw new UsageError(`the nodes of stack ${stack.name} are processes of this machine, which never sleep`);
}

async function push(archive: string, folder: string, options: PushOptions): Promise<void> {
  const path = resolve(archive);
  if (!existsSync(path)) throw new UsageError(`archive is ${archive}: there is no such file`);
  const { stack } = await meantUp(undefined, options);
  const fleet = await fleetOf(stack);
  const say = (line: string) => console.error(line);
  const pushed = await fleet.push(path, folder, { overwrite: options.overwrite ?? false, say });
  if (options.json) return answerJson("push/1", { stack: stack.name, folder, ...pushed });
  const there =
    pushed.skipped === 0 ? "" : `; ${number(pushed.skipped)} ${pushed.skipped === 1 ? "was" : "were"} there already`;
  const files = pushed.files === 1 ? "1 file is" : `${number(pushed.files)} files are`;
  console.log(`${files} in ${folder} of HDFS, all checked${there}.`);
}

async function reset(word: string | undefined, { confirm, dryRun, ...options }: ResetOptions): Promise<void> {
  const { meant, stack } = await meantUp(word, options);
  const fleet = await fleetOf(stack);
  await refuseWhileRunning(stack);
  if (confirm !== undefined && confirm !== meant.name) {
    throw new UsageError(`--confirm is ${confirm}, and the stack is ${meant.name}: give its own name`);
  }
  console.error(`In ${describeStack(meant)}: all that users have in HDFS goes, and every kernel ends.`);
  if (dryRun) return console.error("That would go, and nothing did.");
  if (confirm === undefined) {
    const { askForName } = await import("../ask.ts");
    await askForName(meant.name, "it removes what users have, and --confirm has no name");
  }
  console.log(await fleet.reset((line) => console.error(line)));
}

/** What a run keeps in HDFS between its steps looks like what nobody uses. */
async function refuseWhileRunning(stack: StackContext): Promise<void> {
  const attached = await attach(stack);
  const status = await new Follower(attached).status(attached.run);
  if (status?.state !== "running") return;
  throw new RefusedError(
    `run ${attached.run} goes on, and has data in HDFS: wait for its end (npx --no oneoff watch ${stack.name}), or end it (npx --no oneoff cancel ${stack.name})`,
  );
}
