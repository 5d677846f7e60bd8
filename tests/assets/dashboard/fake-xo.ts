import type { FakeLake } from "./fake-lake.ts";

/** Sizes of the networks of a fake run. */
export const SIZES = [5, 10, 20, 30, 60, 100, 150, 250, 400, 600] as const;

/** A point's letter, as a condition over x and y: a cross on the left, a ring on the right. */
const letter = (x: string, y: string) => `CASE
  WHEN abs(abs(${x} + 1) - abs(${y})) < 0.17 AND abs(${y}) < 0.72 THEN 'X'
  WHEN abs(sqrt((${x} - 1) * (${x} - 1) + ${y} * ${y}) - 0.58) < 0.16 THEN 'O' ELSE 'B' END`;

/** Rows that a run of xo might leave, made up: the pictures are plausible and nothing was trained. */
export class FakeXo {
  readonly #lake: FakeLake;
  readonly #run: string;
  /** Makes runs differ. */
  readonly #shift: number;

  constructor(lake: FakeLake, run: string, shift = 0) {
    this.#lake = lake;
    this.#run = run;
    this.#shift = shift;
  }

  async points(rows = 20_000): Promise<void> {
    await this.#lake.part(
      "points",
      this.#run,
      `SELECT id, x, y, ${letter("x", "y")} AS label FROM (
         SELECT range AS id, (hash(range * 2 + ${this.#shift}) % 1000003) / 1000003.0 * 4 - 2 AS x,
           (hash(range * 2 + 1) % 1000003) / 1000003.0 * 2 - 1 AS y FROM range(${rows}))`,
    );
  }

  /** One size's networks and their surfaces, as one task of the sweep leaves them. */
  async size(hidden: number, seeds = 3): Promise<void> {
    const accuracy = `0.955 - 0.42 * exp(-${hidden} / ${9 + this.#shift}.0) - ${hidden} * 0.00001 + ((hash(seed * 7 + ${hidden}) % 100)::DOUBLE - 50) / 9000`;
    const networks = `(SELECT range + 1 AS seed FROM range(${seeds}))`;
    await this.#lake.part(
      "models",
      this.#run,
      `SELECT ${hidden} AS hidden, seed, ${accuracy} AS accuracy, 0.004 AS accuracy_se,
         0.4 + ${hidden} * 0.011 + seed * 0.15 AS seconds FROM ${networks}`,
    );
    await this.#lake.part("surface", this.#run, this.#surface(hidden, networks));
  }

  async optimum(hidden: number): Promise<void> {
    await this.#lake.part(
      "optimum",
      this.#run,
      `SELECT ${hidden} AS hidden, 0.9412 AS accuracy, 0.0041 AS accuracy_se,
         'With ${hidden} neurons the mean accuracy is 94.12 %, within one standard error of the best (94.48 % with 150); no smaller network comes as near.' AS reason`,
    );
  }

  async all(hidden: readonly number[] = SIZES, optimum = 30): Promise<void> {
    await this.points();
    for (const size of hidden) await this.size(size);
    await this.optimum(optimum);
  }

  /** What a network sees: the truth through a lens that gets better with its size. */
  #surface(hidden: number, networks: string): string {
    const blur = `${1.1 / Math.sqrt(hidden)} * sin(seed + ${hidden} + 3 * x) * cos(2 * y + seed)`;
    return `SELECT ${hidden} AS hidden, seed, x, y, ${letter(`(x + ${blur})`, `(y - ${blur})`)} AS predicted FROM ${networks},
      (SELECT round(range * 4.0::DOUBLE / 99 - 2, 4) AS x FROM range(100)), (SELECT round(range * 2.0::DOUBLE / 49 - 1, 4) AS y FROM range(50))`;
  }
}
