/** Tables on terminals of all widths, and where there is none. */
import { expect, test } from "vitest";
import { type Column, isScreen, labelled, tableLines, widthOf } from "../../cli/columns.ts";

interface Row {
  readonly run: string;
  readonly job: string;
  readonly usd: number;
  readonly note: string;
}

const COLUMNS: readonly Column<Row>[] = [
  { head: "RUN", text: ({ run }) => run },
  { head: "JOB", text: ({ job }) => job, rank: 2 },
  { head: "USD", text: ({ usd }) => usd.toFixed(2), align: "right", rank: 1 },
  { head: "NOTE", text: ({ note }) => note, rank: 3, prose: true },
];
const ROWS: readonly Row[] = [
  { run: "2026-11-29-191143", job: "xo", usd: 0.4, note: "it ended before anybody had looked at what it had to say" },
  { run: "9", job: "london-power", usd: 12, note: "" },
];

test.each<readonly [title: string, width: number | undefined, lines: readonly string[]]>([
  [
    "no terminal: all of it",
    undefined,
    [
      "RUN                JOB             USD  NOTE",
      "2026-11-29-191143  xo             0.40  it ended before anybody had looked at what it had to say",
      "9                  london-power  12.00",
    ],
  ],
  [
    "200 columns",
    200,
    [
      "RUN                JOB             USD  NOTE",
      "2026-11-29-191143  xo             0.40  it ended before anybody had looked at what it had to say",
      "9                  london-power  12.00",
    ],
  ],
  [
    "80 columns: prose is cut",
    80,
    [
      "RUN                JOB             USD  NOTE",
      "2026-11-29-191143  xo             0.40  it ended before anybody had looked at w…",
      "9                  london-power  12.00",
    ],
  ],
  [
    "50 columns: the least column is left out, then prose is cut",
    50,
    ["RUN                NOTE", "2026-11-29-191143  it ended before anybody had lo…", "9"],
  ],
  ["20 columns: an id is never cut", 20, ["RUN", "2026-11-29-191143", "9"]],
  ["1 column: nor where it does not fit", 1, ["RUN", "2026-11-29-191143", "9"]],
])("%s", (_, width, lines) => {
  expect(tableLines(ROWS, COLUMNS, width)).toEqual(lines);
});

test("without rows there are the heads", () => {
  expect(tableLines([], COLUMNS, 80)).toEqual(["RUN  JOB  USD  NOTE"]);
});

test("whatever a text holds, a row is a line", () => {
  const rows = [{ run: "9", job: "of\ntwo\tlines", usd: 0, note: "" }];
  expect(tableLines(rows, COLUMNS.slice(0, 2), 80)).toEqual(["RUN  JOB", "9    of two lines"]);
});

test("only what says how wide it is is written over", () => {
  const terminal = { isTTY: true, columns: 20 };
  const which = [terminal, { ...terminal, columns: 0 }, { ...terminal, isTTY: false }];
  expect(which.map(isScreen)).toEqual([process.env.TERM !== "dumb", false, false]);
});

test("a terminal that doesn't know its width has 80 columns, and what is none has no edge", () => {
  expect(widthOf({ isTTY: true, columns: 0 })).toBe(80);
  expect(widthOf({ isTTY: true, columns: 200 })).toBe(200);
  expect(widthOf({ isTTY: false, columns: 20 })).toBeUndefined();
});

test("lines with a word before each", () => {
  const lines = [["Run", "9 of xo"] as const, ["Cost", undefined] as const, ["Steps", "points\nmodels"] as const];
  expect(labelled(lines)).toEqual(["Run    9 of xo", "Steps  points", "       models"]);
});
