import { shortened } from "./shortened.ts";
import { counted } from "./time.ts";

/** Of so many a browser makes a picture at once. */
export const MOST_LINES = 20_000;

const ESC = "\u001b";
const BEL = "\u0007";
/** Colours and other orders to a terminal: of ECMA-48 those that programs print. */
const ORDERS = new RegExp(
  String.raw`${ESC}(?:\[[0-?]*[ -/]*[@-~]|[\]P^_X][^${BEL}${ESC}]*(?:${BEL}|${ESC}\\)|[ -/]*[0-~])`,
  "g",
);
/** What is no sign, and marks that turn the direction in which text is read. */
const UNSEEN = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu;

/** Unicode has signs for the controls of ASCII. */
function signOf(unseen: string): string {
  const code = unseen.charCodeAt(0);
  if (unseen === "\t") return unseen;
  return code < 0x20 ? String.fromCharCode(0x2400 + code) : code === 0x7f ? "␡" : "\ufffd";
}

/** A line as a terminal would leave it: the last that was printed over it, and no orders. */
function readable(line: string): string {
  let end = line.length;
  while (line[end - 1] === "\r") end -= 1;
  const last = line.slice(line.lastIndexOf("\r", end - 1) + 1, end).replace(ORDERS, "");
  return shortened(last.replace(UNSEEN, signOf));
}

/**
 * What is shown of some bytes of a log.
 * @param isBeginning whether they are its first; else the line that they begin in is left out, as its beginning is not known.
 */
export function textOf(bytes: Uint8Array, isBeginning: boolean): string {
  // A character that is not whole yet is held back.
  const text = new TextDecoder().decode(bytes, { stream: true });
  const first = isBeginning ? 0 : text.indexOf("\n") + 1;
  const lines = text.slice(first).split("\n");
  const left = Math.max(0, lines.length - MOST_LINES);
  const begun = left > 0 ? `… (${counted.format(left)} more lines)\n` : isBeginning || first > 0 ? "" : "…";
  return begun + lines.slice(left).map(readable).join("\n");
}
