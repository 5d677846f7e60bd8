import { kibanaObjects, ndjson } from "../../assets/jobs/streaming-regression/kibana/index.ts";
import { settingsOf } from "../../components/common/stack.ts";
import { UsageError } from "../../core/errors.ts";
import { type StackOptions, spanOfTime, takesStack, withExamples } from "../arguments.ts";
import type { OneoffCommand } from "../command.ts";
import { stackNamed } from "../meant-stack.ts";
import { programFiles, programOf } from "../program.ts";

interface Options extends StackOptions {
  readonly refresh: number;
}

/** What Kibana's objects go by, of all that can be set. */
interface Settings {
  readonly store?: string;
  readonly storeIndex?: string;
  readonly trainTopic?: string;
  readonly testTopic?: string;
}

export const kibana: OneoffCommand = {
  describe: (command) =>
    withExamples(
      takesStack(command)
        .description(
          "Print a data view, searches and dashboards for a Kibana of one's own, of the store that a stream writes to.",
        )
        .option("--refresh <time>", "from one look of a dashboard to the next, 5 seconds at least", spanOfTime, 5)
        .action(async (word: string | undefined, { refresh, ...options }: Options) => {
          const files = programFiles(await stackNamed(word, options));
          const settings: Settings = settingsOf(await programOf(files), files.config);
          const { store, storeIndex, trainTopic, testTopic } = settings;
          if (storeIndex === undefined)
            throw new UsageError(
              `stack ${files.stack} has no stream that writes to a store: give another, such as streaming-local`,
            );
          const args = { storeIndex, trainTopic, testTopic, refresh: `${refresh} seconds` } as const;
          process.stdout.write(ndjson(kibanaObjects(args)));
          if (store === undefined)
            console.error(`stack ${files.stack} writes to no store yet: pulumi config set oneoff:store ADDRESS`);
        }),
      {
        "oneoff kibana streaming-local > stream.ndjson": "then import it: Stack Management, Saved Objects",
        "oneoff kibana --refresh 30s > stream.ndjson": "a store that has other things to do",
      },
    ),
};
