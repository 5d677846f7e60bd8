import { invalid } from "./errors.ts";

const MEBIBYTES = { MB: 1, GB: 1024, TB: 1024 * 1024 } as const;

/**
 * An amount of memory or disk, such as `"512 MB"` or `"1.5 GB"`. Units are binary, as Spark, the JVM and cloud disks
 * count: 1 GB is 1024 MB.
 */
export type Size = `${number} ${keyof typeof MEBIBYTES}`;

/**
 * A size in whole mebibytes, the unit that Spark takes as `"512m"`.
 *
 * @param setting what to name in the error: the argument or setting that was given.
 * @throws UsageError when the text is not a size, not positive, or not a whole number of mebibytes.
 */
export function mebibytes(size: string, setting = "size"): number {
  const match = /^(\d+(?:\.\d+)?) (MB|GB|TB)$/.exec(size);
  const total = match ? Number(match[1]) * MEBIBYTES[match[2] as keyof typeof MEBIBYTES] : Number.NaN;
  if (!(total > 0) || !Number.isSafeInteger(total)) {
    throw invalid(
      setting,
      size,
      'expected a number and a unit that come to whole megabytes above zero, such as "512 MB" or "1.5 GB"',
    );
  }
  return total;
}
