import { counted } from "./time.ts";

const LONGEST = 2000;

/** A browser lays out a word of a hundred thousand letters for minutes. */
export const shortened = (text: string): string =>
  text.length <= LONGEST
    ? text
    : `${text.slice(0, LONGEST)}… (${counted.format(text.length - LONGEST)} more characters)`;
