/** Tables for the terminal. */

/** A column of a table. */
export interface Column<Row> {
  readonly head: string;
  text(row: Row): string;
  /** Numbers are read from their ends. @default "left" */
  readonly align?: "left" | "right";
  /** Where there is no room for all columns the one with the lowest goes first. @default it stays */
  readonly rank?: number;
  /** Whether it may be cut, with "…": sentences may, names and numbers may not. @default false */
  readonly prose?: boolean;
}

const GAP = "  ";

const oneLine = (text: string): string => text.replace(/\s+/g, " ");

/** How wide a terminal is; undefined where there is none: what reads a table then has no edge. */
export const widthOf = ({ isTTY, columns }: Pick<NodeJS.WriteStream, "isTTY" | "columns">): number | undefined =>
  isTTY ? columns || 80 : undefined;

/** Whether what was written can be written over: on a terminal that knows how, and says how wide it is. */
export const isScreen = ({ isTTY, columns }: Pick<NodeJS.WriteStream, "isTTY" | "columns">): boolean =>
  isTTY === true && columns > 0 && process.env.TERM !== "dumb";

/** Lines of a table, its heads first. On a terminal columns are left out rather than lines broken. */
export function tableLines<Row>(
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  width: number | undefined,
): readonly string[] {
  const cells = [
    columns.map(({ head }) => head),
    ...rows.map((row) => columns.map((column) => oneLine(column.text(row)))),
  ];
  const all = columns.map((column, i) => ({
    ...column,
    i,
    width: Math.max(...cells.map((row) => row[i]?.length ?? 0)),
  }));
  const shown = width === undefined ? all : fitting(all, width);
  return cells.map((row) =>
    shown
      .map(({ i, width, align }) => {
        const text = cut(row[i] as string, width);
        return align === "right" ? text.padStart(width) : text.padEnd(width);
      })
      .join(GAP)
      .trimEnd(),
  );
}

type Sized = Pick<Column<never>, "rank" | "prose"> & { readonly width: number };

/** What of the columns fits: less of the prose first, and then fewer of them. */
function fitting<C extends Sized>(columns: readonly C[], width: number): readonly C[] {
  const over = columns.reduce((sum, column) => sum + column.width + GAP.length, -GAP.length) - width;
  if (over <= 0) return columns;
  const prose = columns.find((column) => column.prose && column.width - over >= LEAST_PROSE);
  if (prose) return columns.map((column) => (column === prose ? { ...column, width: column.width - over } : column));
  const least = columns.filter(({ rank }) => rank !== undefined).sort((a, b) => Number(a.rank) - Number(b.rank))[0];
  return least
    ? fitting(
        columns.filter((column) => column !== least),
        width,
      )
    : columns;
}

const LEAST_PROSE = 20;

const cut = (text: string, width: number): string => (text.length > width ? `${text.slice(0, width - 1)}…` : text);

/** Lines with a word before each, as `status` has them; a text that is none is left out. */
export function labelled(
  lines: readonly (readonly [label: string, text: string | undefined])[],
  least = 0,
): readonly string[] {
  const shown = lines.filter(([, text]) => text !== undefined) as readonly (readonly [string, string])[];
  const width = Math.max(least, ...shown.map(([label]) => label.length));
  return shown.flatMap(([label, text]) =>
    text.split("\n").map((line, i) => `${(i === 0 ? label : "").padEnd(width)}  ${line}`),
  );
}
