/** `oneoff fleet ssh`: what ssh reads to enter a fleet's machines; and, asked by ssh itself, what carries the connection. */
import { type Command, Option } from "commander";
import { UsageError } from "../../core/errors.ts";
import { type StackOptions, takesStack, withExamples } from "../arguments.ts";
import { meantUp } from "../meant-stack.ts";
import { fleetOf, platforms } from "../registry.ts";

interface SshOptions extends StackOptions {
  readonly user?: string;
  readonly awsCli?: boolean;
  readonly proxy?: string;
}

export const describeSsh = (command: Command): Command =>
  withExamples(
    takesStack(command)
      .description("Write what ssh needs to enter the machines, which have no open port, and say how.")
      .option("--user <name>", "whose account; that of the last time, or this machine's, when not given")
      .option("--aws-cli", "have the AWS CLI carry it, for a colleague who hasn't this command")
      .addOption(new Option("--proxy <machine>", "carry a connection, as ssh asks for it").hideHelp())
      .action((word, _, command) => enter(word, command.optsWithGlobals())),
    { "oneoff fleet ssh": "then ssh -F FILE head", "oneoff fleet ssh --user ada": "into the account of ada" },
  );

async function enter(word: string | undefined, { proxy, user, awsCli, ...options }: SshOptions): Promise<void> {
  if (proxy !== undefined) return carry(proxy);
  const { stack } = await meantUp(word, options);
  const fleet = await fleetOf(stack);
  if (!fleet.entrance) {
    throw new UsageError(`the nodes of stack ${stack.name} are processes of this machine: there is nothing to enter`);
  }
  const entrance = await fleet.entrance();
  const { colleagueHosts, writeColleagueFiles, writeSshFiles } = await import("../ssh-files.ts");
  if (awsCli) {
    const { config, knownHosts, user: account } = writeColleagueFiles(stack.name, entrance, user);
    const hosts = colleagueHosts(stack.name);
    console.log(`For ${account}: ${config}, and ${knownHosts}, which is to be their ${hosts}.`);
    return;
  }
  const { config, user: account } = writeSshFiles(stack.name, entrance, user);
  const [first] = entrance.hosts;
  const names = entrance.hosts.map(({ name }) => name).join(", ");
  const lines = [
    `As ${account}: ${names || "no machine runs just now"}.`,
    `  ssh -F ${config} ${first?.name ?? "head"}`,
    `  scp -F ${config} FILE ${first?.name ?? "head"}:`,
    "A machine that comes later is there once this was given again.",
  ];
  console.log(lines.join("\n"));
}

/** @param place "aws:us-west-2/i-0123": the platform, and what it knows the machine by. */
async function carry(place: string): Promise<void> {
  const platform = platforms.find(({ provider, carry }) => carry && place.startsWith(provider));
  if (!platform?.carry) throw new UsageError(`--proxy is ${place}: expected what "oneoff fleet ssh" writes`);
  await platform.carry(place.slice(platform.provider.length));
}
