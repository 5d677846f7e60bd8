import { Argument } from "commander";
import { withExamples } from "../arguments.ts";
import type { OneoffCommand } from "../command.ts";
import { completionScript, type Shell, shells } from "../completion.ts";

export const completion: OneoffCommand = {
  describe: (command, _, all) =>
    withExamples(
      command
        .addArgument(new Argument("<shell>", "the shell").choices(shells))
        .action(async (shell: Shell) => console.log(await completionScript(shell, all))),
      {
        'eval "$(oneoff completion bash)"': "in ~/.bashrc, and likewise with zsh",
        "oneoff completion fish | source": "in ~/.config/fish/config.fish",
        "oneoff completion zsh >~/.oneoff.zsh": "to be read there, where npx alone has oneoff",
      },
    ),
};
