import { type Command, InvalidArgumentError } from "commander";
import type { ProduceArgs } from "../../assets/jobs/streaming-regression/produce.ts";
import { produceSettings } from "../../assets/jobs/streaming-regression/produce-settings.ts";
import { streamingRegressionSettings } from "../../assets/jobs/streaming-regression/settings.ts";
import { UsageError } from "../../core/errors.ts";
import { JsonLines } from "../answer.ts";
import { jsonOption, type StackOptions, spanOfTime, stackOption, withExamples } from "../arguments.ts";
import { isScreen } from "../columns.ts";
import type { OneoffCommand } from "../command.ts";
import { number } from "../described.ts";
import { meantUp } from "../meant-stack.ts";
import { attach } from "../registry.ts";
import { Speed } from "../speed.ts";
import { stopSignal } from "../waiting.ts";

interface Options extends StackOptions, ProduceArgs {
  readonly topic?: string;
  /** In seconds. */
  readonly for?: number;
  readonly json?: boolean;
}

const LINE_MS = 10_000;
const { features, trainTopic } = streamingRegressionSettings.shape;
const FLAGS = { ...produceSettings.shape, features };
const PLACEHOLDERS: Partial<Record<keyof typeof FLAGS, string>> = { csv: "file", columns: "a,b", target: "column" };

export const produce: OneoffCommand = {
  describe: (command) =>
    withExamples(
      takesFlags(
        command
          .description("Send records to a stack's stream until Ctrl-C: as its settings have it, but for what is given.")
          .addOption(stackOption()),
      )
        .option("--topic <name>", "all to this topic, not a part to each of both", settingOf(trainTopic))
        .option("--for <time>", "end after so long: 90s, 10m, 1h", spanOfTime)
        .addOption(jsonOption("a line of JSON each second"))
        .action(send),
      {
        "oneoff produce --rate 1000 --drift 0.5 -s streaming-local": "a truth that wanders",
        "oneoff produce --csv homes.csv --columns size,rooms --target price": "rows of your own",
        "oneoff produce --topic test --for 60s": "to one topic, for a minute",
      },
    ),
};

/** What can be set can be said here. */
const takesFlags = (command: Command): Command =>
  Object.entries(FLAGS).reduce((to, [key, schema]) => {
    const flag = key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    const about = (schema.description ?? "").replace(/^./, (letter) => letter.toLowerCase());
    return to.option(`--${flag} <${PLACEHOLDERS[key as keyof typeof FLAGS] ?? "number"}>`, about, settingOf(schema));
  }, command);

interface Schema {
  safeParse(text: string): {
    readonly success: boolean;
    readonly data?: unknown;
    readonly error?: { readonly issues: readonly { readonly message: string }[] } | undefined;
  };
}

/** What a setting takes, as an option. */
const settingOf =
  (schema: Schema) =>
  (text: string): unknown => {
    const { success, data, error } = schema.safeParse(text);
    if (success) return data;
    throw new InvalidArgumentError(error?.issues[0]?.message ?? "");
  };

async function send({ topic, for: seconds, json, stack: named, ...given }: Options): Promise<void> {
  const { stack } = await meantUp(undefined, named === undefined ? {} : { stack: named });
  const { stream } = await attach(stack);
  if (!stream) {
    throw new UsageError(
      `stack ${stack.name} has no stream that records could be sent to: name one that has, such as streaming-local`,
    );
  }
  const { kafka } = stream;
  if (kafka === undefined) {
    throw new UsageError(
      `the broker of stack ${stack.name} is reached within its own network alone: its producer is set by "npx --no pulumi config set oneoff:rate 1000 --stack ${stack.name}" and the like`,
    );
  }
  const { produce, produceWords } = await import("../produce.ts");
  const ids = `produce-${Date.now().toString(36)}`; // what is sent again another time is no duplicate
  const words = produceWords(given, { topic, seconds, ids }, stack.files.config);
  const lines = json ? new JsonLines("produce/1", { stack: stack.name, kafka }) : undefined;
  const display = lines ? programDisplay(lines) : await peopleDisplay(process.stdout);
  console.error(`Records go to ${kafka}${seconds === undefined ? " until Ctrl-C" : ""}.`);
  const records = await produce({
    ...{ words, kafka, hint: `"npx --no oneoff up ${stack.name}" starts it again` },
    ...{ say: (line) => console.error(line), sent: display.sent, stop: stopSignal() },
  });
  display.end(records);
}

interface Display {
  sent(records: number): void;
  end(records: number): void;
}

/** For programs. */
export function programDisplay(lines: JsonLines): Display {
  const speed = new Speed();
  return {
    sent(records) {
      speed.note(records);
      const perSecond = speed.perSecond();
      lines.write("sent", { records, perSecond: perSecond === undefined ? null : Math.round(perSecond * 1000) / 1000 });
    },
    end: () => lines.end("ended", 0),
  };
}

/** One line, renewed on a terminal; elsewhere one every ten seconds. */
async function peopleDisplay(output: NodeJS.WriteStream): Promise<Display> {
  const speed = new Speed();
  const update = isScreen(output) ? (await import("log-update")).createLogUpdate(output) : undefined;
  let next = Date.now() + LINE_MS;
  return {
    sent(records) {
      speed.note(records);
      const perSecond = speed.perSecond();
      const line = `${number(records)} records${perSecond === undefined ? "" : ` (${number(perSecond, 3)}/s)`}`;
      if (update) return update(line);
      if (Date.now() < next) return;
      next += LINE_MS;
      output.write(`${line}\n`);
    },
    end(records) {
      update?.clear();
      output.write(`${number(records)} records were sent.\n`);
    },
  };
}
