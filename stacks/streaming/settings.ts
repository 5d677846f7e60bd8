import * as pulumi from "@pulumi/pulumi";
import { z } from "zod";
import { streamingRegression } from "../../assets/jobs/streaming-regression/index.ts";
import { produceOptions } from "../../assets/jobs/streaming-regression/produce.ts";
import { produceSettings } from "../../assets/jobs/streaming-regression/produce-settings.ts";
import { streamingRegressionSettings } from "../../assets/jobs/streaming-regression/settings.ts";
import { checkSecretSetting } from "../../components/common/secret-setting.ts";
import { MOST_PARTITIONS } from "../../components/common/services/kafka.ts";
import type { Duration } from "../../core/duration.ts";
import { UsageError } from "../../core/errors.ts";
import { Removal } from "../../core/removal.ts";
import { count, duration, flag, runId, size } from "../../core/settings.ts";

/** Which a stack sees to itself. */
const OWN = { kafka: true, page: true, state: true } as const;

/**
 * Settings that all stacks of a stream have. @param deadlines the shortest and the longest there can be. @param lake the default.
 */
export const streamSettings = (deadlines: readonly [Duration, Duration], lake: string) =>
  z
    .object({
      runId: runId()
        .default("1")
        .describe("Names the run; only a new one reads the stream again (`npx --no oneoff run` sets one)"),
      deadline: duration(...deadlines)
        .default("8 hours")
        .describe("The run ends this long after its start, if nobody asks for its end before"),
      partitions: count()
        .max(MOST_PARTITIONS, `expected at most ${MOST_PARTITIONS}`)
        .default(1)
        .describe("Partitions of each topic; more come to one that is there already, and none go"),
      retention: size().default("256 MB").describe("What Kafka keeps of a partition: older records go"),
      producer: flag().default(true).describe("Whether records are made and sent; without it, send your own"),
      lake: z.string().default(lake).describe("Folder of the results"),
      removal: z
        .enum(Removal)
        .default("delete")
        .describe("What `pulumi destroy` does with the results: delete or retain"),
      storeLogin: z.string().optional().describe("USER:PASSWORD for the store, as a secret"),
    })
    .extend(streamingRegressionSettings.omit(OWN).shape)
    .extend(produceSettings.shape);

type StreamSettings = z.output<ReturnType<typeof streamSettings>>;

/** What the settings say of the job. @param places where the broker and the page are to it. */
export const jobOf = (settings: StreamSettings, places: { readonly kafka: string; readonly page: string }) =>
  streamingRegression({ ...settings, ...places });

/** What they say of a pipeline, wherever it is. @throws UsageError for a store without a login, and a login that is none or plain text. */
export function pipelineOf(settings: StreamSettings) {
  const { runId, deadline, partitions, retention, trainTopic, testTopic, storeLogin } = settings;
  checkStore(settings);
  return {
    lifetime: { deadline },
    runId,
    kafka: { topics: Object.fromEntries([trainTopic, testTopic].map((topic) => [topic, partitions])), retention },
    ...(storeLogin && { secrets: { "store-login": pulumi.secret(storeLogin) } }),
    ...(settings.producer && { producer: produceOptions(settings) }),
  };
}

function checkStore({ store, storeLogin }: StreamSettings): void {
  checkSecretSetting("oneoff:storeLogin", storeLogin, " USER:PASSWORD");
  if (storeLogin !== undefined && !/^[^:\s]+:\S+$/.test(storeLogin))
    // without its value: it is secret
    throw new UsageError(
      "oneoff:storeLogin is no USER:PASSWORD: pulumi config set --secret oneoff:storeLogin USER:PASSWORD",
    );
  if (store?.startsWith("https://") && storeLogin === undefined)
    throw new UsageError(
      "oneoff:store begins with https:// and oneoff:storeLogin is not set: pulumi config set --secret oneoff:storeLogin USER:PASSWORD",
    );
}
