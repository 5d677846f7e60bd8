const QUOTE = '"'.charCodeAt(0);
const COMMA = ",".charCodeAt(0);
const LINE = "\n".charCodeAt(0);

/** A column as text, its name first. What is null has no text. */
export type TextColumn = (string | null)[];

/**
 * Columns of a result file as Athena writes it: every value quoted, an empty one that is not is null. A general parser
 * can tell the two apart only by calling back for each value, which takes forty times as long.
 *
 * @throws Error when it is no such file.
 */
export function parseCsv(text: string): readonly TextColumn[] {
  const columns: TextColumn[] = [];
  let position = 0;
  for (let row = 0; position < text.length; row++) {
    let column = 0;
    for (let ends = false; !ends; column++, position++) {
      const end = text.charCodeAt(position) === QUOTE ? closing(text, position) : position - 1;
      const value = end < position ? null : unquoted(text, position, end);
      position = end + 1;
      ends = position >= text.length || text.charCodeAt(position) === LINE;
      if (!ends && text.charCodeAt(position) !== COMMA) throw new Error(`a value of row ${row} is not quoted`);
      if (row === 0) columns.push([]);
      columns[column]?.push(value);
    }
    if (column !== columns.length) throw new Error(`row ${row} has ${column} values, expected ${columns.length}`);
  }
  return columns;
}

/** Where the quotes that open at `start` close. */
function closing(text: string, start: number): number {
  let end = text.indexOf('"', start + 1);
  while (end >= 0 && text.charCodeAt(end + 1) === QUOTE) end = text.indexOf('"', end + 2);
  if (end < 0) throw new Error("quotes are not closed");
  return end;
}

/** A quote within stands twice. */
function unquoted(text: string, start: number, end: number): string {
  const value = text.slice(start + 1, end);
  return value.includes('"') ? value.replaceAll('""', '"') : value;
}
