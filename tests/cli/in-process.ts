/** A command carried out by the test itself: what it answers on each stream, and what it ends with. */
import { vi } from "vitest";
import { carryOut } from "../../cli/command-line.ts";
import { tellError } from "../../cli/errors.ts";

export interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export async function oneoff(...words: readonly string[]): Promise<Ended> {
  const said = { out: "", err: "" };
  const say = (stream: keyof typeof said, text: unknown) => {
    said[stream] += text;
    return true;
  };
  const spies = [
    vi.spyOn(console, "log").mockImplementation((text = "") => void say("out", `${text}\n`)),
    vi.spyOn(console, "error").mockImplementation((text = "") => void say("err", `${text}\n`)),
    vi.spyOn(process.stdout, "write").mockImplementation((text) => say("out", text)),
    vi.spyOn(process.stderr, "write").mockImplementation((text) => say("err", text)),
  ];
  const before = process.exitCode;
  process.exitCode = undefined;
  try {
    await carryOut(words).catch(async (error) => {
      process.exitCode = await tellError(error, words);
    });
    return { code: Number(process.exitCode ?? 0), ...said };
  } finally {
    process.exitCode = before;
    for (const spy of spies) spy.mockRestore();
  }
}
