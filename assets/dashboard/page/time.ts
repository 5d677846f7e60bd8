const LOCALE = "en-GB";

/** The server's clock as far as it is known: browsers' clocks may be off. */
export class Clock {
  #offset = 0;

  sync(now: string): void {
    this.#offset = Date.parse(now) - Date.now();
  }

  now(): number {
    return Date.now() + this.#offset;
  }
}

const UNITS = [
  [86_400, "d"],
  [3600, "h"],
  [60, "min"],
  [1, "s"],
] as const;

/** `"1 h 30 min"`, `"45 s"`: the two largest units. */
export function span(milliseconds: number): string {
  const total = Math.max(0, Math.floor(milliseconds / 1000));
  const first = Math.max(
    UNITS.findIndex(([size]) => total >= size),
    0,
  );
  let rest = total;
  const parts = UNITS.slice(total === 0 ? -1 : first, first + 2).map(([size, unit]) => {
    const count = Math.floor(rest / size);
    rest -= count * size;
    return `${count} ${unit}`;
  });
  return parts.join(" ");
}

/** How long ago, in one unit, which is as exact as it is of use. */
export function ago(milliseconds: number): string {
  if (milliseconds < 5000) return "just now";
  return `${span(milliseconds).split(" ").slice(0, 2).join(" ")} ago`;
}

const time = new Intl.DateTimeFormat(LOCALE, { hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat(LOCALE, { day: "numeric", month: "short" });
const whole = new Intl.DateTimeFormat(LOCALE, { dateStyle: "medium", timeStyle: "medium" });

/** `"13:50"` today, else `"21 Nov 13:50"`. */
export function moment(at: number, now: number): string {
  const same = new Date(at).toDateString() === new Date(now).toDateString();
  return same ? time.format(at) : `${day.format(at)} ${time.format(at)}`;
}

export const exactly = (at: number): string => whole.format(at);

export const counted = new Intl.NumberFormat(LOCALE);
