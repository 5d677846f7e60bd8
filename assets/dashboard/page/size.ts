import type { QueryStatistics } from "../engine.ts";

const UNITS = ["B", "kB", "MB", "GB", "TB"] as const;
const number = new Intl.NumberFormat("en-GB", { maximumSignificantDigits: 3 });

/** `"12.3 MB"`: three digits are as exact as it is of use. */
export function size(bytes: number): string {
  const power = bytes < 1 ? 0 : Math.min(Math.floor(Math.log10(bytes) / 3), UNITS.length - 1);
  return `${number.format(bytes / 1000 ** power)} ${UNITS[power]}`;
}

/** What was read for a result where that is billed, and what was expected where that is known. */
export function scanned({ bytesScanned, bytesExpected }: QueryStatistics): string {
  if (bytesScanned === undefined) return "";
  const text = `${size(bytesScanned)} scanned`;
  if (bytesExpected === undefined) return text;
  if (bytesScanned === 0 && bytesExpected > 0) return `${text} (cached, else ${size(bytesExpected)})`;
  return `${text} (${size(bytesExpected)} expected)`;
}
