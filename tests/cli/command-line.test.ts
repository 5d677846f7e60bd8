/** What the command line takes, says of itself, and ends with. */
import type { Command } from "commander";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { carryOut, programWith } from "../../cli/command-line.ts";
import { commands } from "../../cli/commands/index.ts";
import { completionScript, shells } from "../../cli/completion.ts";
import { tellError } from "../../cli/errors.ts";
import { hintedWords } from "../../cli/hints.ts";
import {
  Exit,
  invalid,
  LoginError,
  MissingError,
  RefusedError,
  TransientError,
  UsageError,
} from "../../core/errors.ts";

let told = "";
beforeEach(() => {
  told = "";
  vi.spyOn(process.stderr, "write").mockImplementation((text) => {
    told += text;
    return true;
  });
});
afterEach(() => void vi.restoreAllMocks());

/** What a command line says on standard error, and ends with, where it is refused. */
async function refused(line: string): Promise<{ readonly exit: number; readonly told: string }> {
  const words = line.split(" ").filter((word) => word !== "");
  try {
    await carryOut(words);
  } catch (error) {
    return { exit: await tellError(error, words), told };
  }
  return { exit: Exit.ok, told };
}

/** A command and those below it, with nothing carried out. */
const withoutActions = (command: Command): void => {
  command.exitOverride().action(() => {});
  command.commands.forEach(withoutActions);
};

const helpOf = (command: Command): string => {
  let text = "";
  command.configureOutput({
    getOutHelpWidth: () => 80,
    getOutHasColors: () => false,
    writeOut: (more) => {
      text += more;
    },
  });
  command.outputHelp();
  return text;
};

const below = (command: Command): readonly Command[] => [command, ...command.commands.flatMap(below)];

describe.each(Object.keys(commands))("help of %s", (name) => {
  test("fits 80 columns, and its examples are taken", async () => {
    const program = await programWith(name);
    const command = program.commands.find((one) => one.name() === name) as Command;
    const helps = below(command).map(helpOf);
    for (const line of helps.join("\n").split("\n")) expect(line.length, line).toBeLessThanOrEqual(80);
    withoutActions(program);
    const examples = helps.flatMap((help) => help.match(/^ {2}oneoff .*?(?= {2}|$)/gm) ?? []);
    for (const example of examples) {
      const [words = ""] = example
        .trim()
        .replace(/^oneoff /, "")
        .split(/ -- | [|>]/);
      const again = await programWith(name);
      withoutActions(again);
      await again.parseAsync(words.split(" "), { from: "user" });
    }
  });
});

test("the help of all fits 80 columns, and names each command that is not for npm alone", async () => {
  const help = helpOf(await programWith(undefined));
  for (const line of help.split("\n")) expect(line.length, line).toBeLessThanOrEqual(80);
  const shown = Object.entries(commands).filter(([, { group }]) => group);
  for (const [name, { summary }] of shown) expect(help).toMatch(new RegExp(`^  ${name} +${summary.slice(0, 20)}`, "m"));
  expect(help).not.toContain("npm run destroy");
});

test.each(hintedWords)("%s, a word of another tool, is carried out by nobody, and gets a hint", async (word) => {
  expect(commands).not.toHaveProperty(word);
  expect(await refused(`${word} emr-oneoff`)).toEqual({
    exit: 2,
    told: expect.stringMatching(new RegExp(`^oneoff: there is no command "${word}": to .*(oneoff|pulumi) .*\n$`)),
  });
});

test.each([
  ["nosuch", 2, "unknown command 'nosuch'; oneoff help tells more"],
  ["leftover", 2, "unknown command 'leftover'; did you mean leftovers?; oneoff help tells more"],
  ["cost --nosuch", 2, "unknown option '--nosuch'; oneoff cost --help tells more"],
  ["cost a b", 2, "too many arguments for 'cost'. Expected 1 argument but got 2: a, b; oneoff cost --help tells more"],
  ["cost a --stack b", 2, 'two stacks are given, "a" and --stack b: leave one out'],
  ["cost --stack a --stack b", 2, "two stacks are given, --stack a and --stack b: leave one out"],
  ["logs local --run a --run b", 2, "two runs are given, --run a and --run b: leave one out"],
  ["cost ../local", 2, 'the stack is "../local": expected letters'],
  ["help nosuch", 2, "unknown command 'nosuch'; oneoff help tells more"],
  ["help statsu", 2, "unknown command 'statsu'; did you mean status?; oneoff help tells more"],
  ["status -o json", 2, "unknown option '-o'; did you mean --json?; oneoff status --help tells more"],
  ["cost count.py", 2, 'the stack is "count.py", which is a file: expected the name of a stack'],
  ["cost a/b/c/d", 2, 'the stack is "a/b/c/d": expected letters'],
  ["cost local --set rows", 2, '--set is "rows": expected key=value'],
  ["cost local --set oneoff:nosuch=1", 2, "oneoff:nosuch is not a setting of this stack"],
  ["cost local --set london=1", 2, "oneoff:london is not a setting of this stack; there are oneoff:job"],
  [
    "cost local --set households=9",
    2,
    "oneoff:households is a setting of job london-power, and this stack's job is xo",
  ],
  ["cost nosuch", 6, 'there is no program "nosuch"'],
  ["cost emr-onoff", 6, 'there is no program "emr-onoff" in stacks/; did you mean "emr-oneoff"? There are dataproc, '],
  ["open --ui nosuch", 2, "argument 'nosuch' is invalid"],
  ["open --port 0", 2, "expected a number from 1 to 65535"],
  ["cost local -- --diff", 2, 'nothing is taken after "--" here, and there is --diff'],
  ["destroy emr-oneoff", 2, 'stack emr-oneoff rents machines: "npx --no oneoff down emr-oneoff" ends it'],
  ["completion csh", 2, "Allowed choices are bash, zsh, fish"],
])("%s ends with %i", async (line, exit, message) => {
  const answer = await refused(line);
  expect(answer.exit).toBe(exit);
  expect(answer.told).toContain(message);
  expect(answer.told).toMatch(/^oneoff: .*\n$/); // one line
});

test.each(
  [
    "up",
    "down --yes",
    "status",
    "runs",
    "runs show 1",
    "runs rm 1 --yes",
    "logs",
    "watch",
    "cancel --yes",
    "run",
    "get",
  ]
    .concat(["open", "leftovers", "cost", "settings", "check", "doctor", "env"])
    .map((line) => [line]),
)("%s of a stack of another project changes nothing", async (line) => {
  expect(await refused(`${line} ${line === "env" ? "" : "--stack "}me/other/local`)).toEqual({
    exit: 6,
    told: 'oneoff: stack local is of project "other", and this is "oneoff": go to its folder\n',
  });
});

test("PULUMI_STACK is looked at as what is typed", async () => {
  vi.stubEnv("PULUMI_STACK", "not a stack");
  const { exit, told } = await refused("cost");
  vi.unstubAllEnvs();
  expect([exit, told]).toEqual([2, expect.stringMatching(/^oneoff: PULUMI_STACK is "not a stack": expected letters/)]);
});

test("a working directory that was removed is no fault of ours", async () => {
  const error = Object.assign(new Error("no such file"), { code: "ENOENT", syscall: "uv_cwd" });
  expect(await tellError(error, ["status"])).toBe(2);
  expect(told).toBe("oneoff: the folder that this was asked for in is not there any more: go to another\n");
});

test.each([
  [new UsageError("x"), "usage", 2],
  [new LoginError("x"), "login", 3],
  [new TransientError("x"), "failed", 4],
  [new RefusedError("x"), "refused", 5],
  [new MissingError("x"), "missing", 6],
])("%s is told as JSON where JSON was asked for", async (error, code, exit) => {
  expect(await tellError(error, ["cost", "--json"])).toBe(exit);
  expect(JSON.parse(told)).toEqual({ schema: "oneoff.error/1", code, message: "x", exit, cure: null });
});

test("as JSON an error says what to do by itself, where it knows", async () => {
  const cure = 'expected "a"';
  await tellError(invalid("job", "b", cure), ["up", "--json"]);
  expect(JSON.parse(told)).toMatchObject({ message: `job is "b": ${cure}`, cure });
});

test("a fault of ours is told with where it is", async () => {
  expect(await tellError(new TypeError("x is not a function"), [])).toBe(255);
  expect(told).toMatch(/TypeError: x is not a function\n {4}at .*\noneoff: that is a fault of oneoff itself/s);
});

test.each(shells)("what completes commands in %s names all commands and options", async (shell) => {
  const script = await completionScript(shell, commands);
  for (const [name, { group }] of Object.entries(commands)) if (group) expect(script).toContain(name);
  expect(script).toContain(shell === "fish" ? "-l detach" : "--detach");
});
