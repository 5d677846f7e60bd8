/** Options of every command: how it tells things, not what it does. */
import type { ChildProcess } from "node:child_process";
import { subscribe } from "node:diagnostics_channel";
import type { ClientRequest } from "node:http";
import { type Command, Option } from "commander";

interface GlobalOptions {
  readonly color?: "auto" | "always" | "never";
  readonly quiet?: boolean;
  readonly verbose?: boolean;
}

export const takesGlobalOptions = (program: Command): Command =>
  program
    .addOption(
      new Option("--color <when>", "colours: as the terminal has it when not given").choices([
        "auto",
        "always",
        "never",
      ]),
    )
    .option("-q, --quiet", "nothing on standard error but errors and questions")
    .option("-v, --verbose", "say what is asked of whom")
    .hook("preAction", (program) => apply(program.opts()));

/** The word that names the command; undefined when there is none. */
export const commandIn = (words: readonly string[]): string | undefined =>
  words.find((word, i) => !word.startsWith("-") && words[i - 1] !== "--color");

function apply({ color, quiet, verbose }: GlobalOptions): void {
  if (color === "always" || color === "never") paint(color === "always");
  if (quiet) console.error = () => {};
  if (verbose) sayWhatIsAsked((line) => process.stderr.write(`> ${line}\n`));
}

/** By what Node, and Pulumi beside it, go by. */
function paint(always: boolean): void {
  delete process.env[always ? "NO_COLOR" : "FORCE_COLOR"];
  process.env[always ? "FORCE_COLOR" : "NO_COLOR"] = "1";
  process.env.PULUMI_OPTION_COLOR = always ? "always" : "never";
}

/** Every request and every program that is started. What stands behind "?" may be a signature: it is left out. */
export function sayWhatIsAsked(say: (line: string) => void): void {
  subscribe("http.client.request.start", (message) => {
    const { request } = message as { readonly request: ClientRequest };
    const action = request.getHeader("x-amz-target"); // AWS has one address for all of a service
    say(
      [request.method, pageOf(`${request.protocol}//${request.getHeader("host")}${request.path}`), action]
        .filter(Boolean)
        .join(" "),
    );
  });
  subscribe("undici:request:create", (message) => {
    const { request } = message as { readonly request: Record<"method" | "origin" | "path", string> };
    say(`${request.method} ${pageOf(request.origin + request.path)}`);
  });
  subscribe("child_process", (message) => {
    const { process } = message as { readonly process: ChildProcess };
    setImmediate(() => say(`$ ${process.spawnargs.join(" ")}`)); // they are known when it has started
  });
}

const pageOf = (address: string): string => address.split("?", 1)[0] as string;
