import type { Service } from "../../../core/service.ts";

/** Its Python, and what Kafka's client holds until it is sent. */
const MEMORY_MEBIBYTES = 192;

/**
 * Sends records to a broker of its group, as job streaming-regression reads them, until it is destroyed.
 *
 * @param options of assets/jobs/streaming-regression/produce.py, beside the broker's address.
 * @param image one in which ONEOFF_PRODUCER has that script and what it imports.
 */
export function producerService<Text>(options: readonly string[], image: Text): Service<Text | string> {
  const csv = options.includes("--csv") ? options[options.indexOf("--csv") + 1] : undefined;
  return {
    name: "producer",
    image,
    command: ["producer", ...options],
    memoryMebibytes: MEMORY_MEBIBYTES,
    mounts: csv === undefined ? [] : [{ path: csv, readOnly: true }],
  };
}
