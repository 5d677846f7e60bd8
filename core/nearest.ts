/** The name that was probably meant: one that begins alike, else the one with the fewest letters to change, where those are few. */
export function nearest(given: string, names: readonly string[]): string | undefined {
  const wanted = given.toLowerCase();
  const ranked = names
    .map((name) => ({ name, changes: changes(wanted, name.toLowerCase()) }))
    .sort((a, b) => a.changes - b.changes);
  const [best] = ranked;
  if (best && best.changes <= Math.max(1, Math.floor(given.length / 3))) return best.name;
  return names.find((name) => name.length > 2 && wanted.startsWith(name.toLowerCase()));
}

/** Letters to put in, take out, change or swap with the next to make one text of another. */
function changes(one: string, other: string): number {
  const rows = [Array.from({ length: other.length + 1 }, (_, to) => to)];
  const at = (from: number, to: number) => rows[from]?.[to] ?? Number.POSITIVE_INFINITY;
  for (let from = 1; from <= one.length; from++) {
    const row = [from];
    rows.push(row);
    for (let to = 1; to <= other.length; to++) {
      const isSame = one[from - 1] === other[to - 1];
      const isSwap = one[from - 1] === other[to - 2] && one[from - 2] === other[to - 1];
      row.push(
        Math.min(
          at(from - 1, to - 1) + (isSame ? 0 : 1),
          at(from - 1, to) + 1,
          at(from, to - 1) + 1,
          isSwap ? at(from - 2, to - 2) + 1 : Number.POSITIVE_INFINITY,
        ),
      );
    }
  }
  return at(one.length, other.length);
}
