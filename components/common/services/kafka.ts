import { invalid } from "../../../core/errors.ts";
import type { Service } from "../../../core/service.ts";
import { mebibytes, type Size } from "../../../core/size.ts";

/** Of a broker in MiB, all included, and its Java heap. */
const MEMORY_MEBIBYTES = 512;
const HEAP = "256m";

export interface KafkaPlan {
  /** Partitions by topic. */
  readonly topics: Readonly<Record<string, number>>;
  /** What a partition keeps: older messages go. */
  readonly retentionMebibytes: number;
}

/** What brokers keep, as users say it. */
export interface KafkaArgs {
  /** Partitions by topic; a topic that is there already may get more, and never has fewer. */
  readonly topics: Readonly<Record<string, number>>;
  /** What a partition keeps: older messages go. @default "256 MB" */
  readonly retention?: Size;
}

/** What Kafka takes, with dots left out, which it confuses with underscores. */
const TOPIC = /^[a-zA-Z0-9_-]{1,200}$/;
export const MOST_PARTITIONS = 64;
/** As much as a segment, of which one is always kept. */
const LEAST_MEBIBYTES = 32;

/** @throws UsageError for what is no topic, for partitions that are no count, and for a retention below 32 MB. */
export function kafkaPlan({ topics, retention = "256 MB" }: KafkaArgs): KafkaPlan {
  for (const [topic, partitions] of Object.entries(topics)) {
    if (!TOPIC.test(topic)) throw invalid("topic", topic, "expected letters, digits, dashes and underscores");
    if (Number.isInteger(partitions) && partitions >= 1 && partitions <= MOST_PARTITIONS) continue;
    throw invalid(`partitions of topic ${topic}`, partitions, `expected a whole number from 1 to ${MOST_PARTITIONS}`);
  }
  const retentionMebibytes = mebibytes(retention, "retention");
  if (retentionMebibytes >= LEAST_MEBIBYTES) return { topics, retentionMebibytes };
  throw invalid("retention", retention, `expected at least "${LEAST_MEBIBYTES} MB"`);
}

/**
 * A broker of Kafka that is controller too. Clients find it at its port "client".
 *
 * @param image one that is made as assets/images/kafka is.
 */
export function kafkaService<Text>(plan: KafkaPlan, image: Text): Service<Text | string> {
  return {
    name: "kafka",
    image,
    command: ["broker"],
    memoryMebibytes: MEMORY_MEBIBYTES,
    env: {
      KAFKA_HEAP: HEAP,
      KAFKA_RETENTION: String(plan.retentionMebibytes * 1024 * 1024),
      KAFKA_TOPICS: Object.entries(plan.topics)
        .map(([topic, partitions]) => `${topic}:${partitions}`)
        .join(" "),
    },
    disks: ["/data"],
    stays: true,
    listens: { client: 9092, controller: 9093 },
    health: ["/opt/oneoff/healthy"],
  };
}
