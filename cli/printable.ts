/** Text of others, such as what steps print or records say: on a terminal it is shown, and steers nothing. */
import { stripVTControlCharacters } from "node:util";

/** All but the ends of lines and tabs, and what turns the order of letters around. */
const CONTROLS = /(?:(?![\n\t])[\p{Cc}\p{Bidi_Control}])+/gu;
/** The colours that commands use themselves. */
const COLOURS = new RegExp(`(${String.fromCharCode(27)}\\[3[1239]m)`);

/** A text without what a terminal would obey: titles, the clipboard, where the cursor is. */
export const printable = (text: string): string =>
  text
    .split(COLOURS)
    .map((part, i) => (i % 2 === 1 ? part : stripVTControlCharacters(part).replace(CONTROLS, "\ufffd")))
    .join("");

/** The same where it goes to a terminal; else what reads gets it as it was. */
export const printableOn = ({ isTTY }: Pick<NodeJS.WriteStream, "isTTY">, text: string): string =>
  isTTY ? printable(text) : text;

/** Has `console` print so. */
export function guardTerminal(): void {
  const [log, error] = [console.log, console.error];
  console.log = (text = "") => log(printableOn(process.stdout, String(text)));
  console.error = (text = "") => error(printableOn(process.stderr, String(text)));
}
