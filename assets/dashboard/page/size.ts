const UNITS = ["B", "kB", "MB", "GB", "TB"] as const;
const number = new Intl.NumberFormat("en-GB", { maximumSignificantDigits: 3 });

/** `"12.3 MB"`: three digits are as exact as it is of use. */
export function size(bytes: number): string {
  const power = bytes < 1 ? 0 : Math.min(Math.floor(Math.log10(bytes) / 3), UNITS.length - 1);
  return `${number.format(bytes / 1000 ** power)} ${UNITS[power]}`;
}
