import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { parseDocument } from "yaml";
import { settingsFile } from "./config.ts";
import { pulumiOutput } from "./pulumi.ts";

const KEY = ["config", "oneoff:runId"];

/**
 * Has Pulumi do something with another run id. Unless an update was begun with it the id goes back, and the file of settings is what
 * it was to the byte: the next `pulumi up` by hand must not begin a run that was refused.
 *
 * @param act resolves to its exit code, which is returned.
 * @param dryRun whether it begins none, whatever it ends with. @default false
 */
export async function withRunId(
  stack: string,
  id: string,
  act: () => Promise<number>,
  { dryRun = false }: { readonly dryRun?: boolean } = {},
): Promise<number> {
  const file = settingsFile(stack);
  const before = textOf(file);
  const last = dryRun ? undefined : await lastUpdate(stack);
  const ignore = () => {}; // Ctrl-C reaches Pulumi too, and the id goes back when that has ended
  process.on("SIGINT", ignore);
  let written: string | undefined;
  let code = 1;
  try {
    await pulumiOutput(stack, ["config", "set", "oneoff:runId", id]);
    written = textOf(file);
    code = await act();
  } finally {
    if (dryRun) putBack(file, before, written);
    else if (code !== 0 && (await lastUpdate(stack)) === last) {
      putBack(file, before, written);
      console.error(`No update was begun, so the run id is what it was before, and not ${id}.`);
    }
    process.off("SIGINT", ignore);
  }
  return code;
}

const textOf = (file: string): string | undefined => (existsSync(file) ? readFileSync(file, "utf8") : undefined);

/** When the last update of a stack was begun; undefined when there was none. What fails in the preview begins none. */
async function lastUpdate(stack: string): Promise<string | undefined> {
  const args = ["stack", "history", "--json", "--page-size", "1"];
  const updates = JSON.parse(await pulumiOutput(stack, args)) as readonly { readonly startTime: string }[] | null;
  return updates?.[0]?.startTime;
}

/** As it was before; where somebody else has written into the file meanwhile only the run id. */
function putBack(file: string, before: string | undefined, written: string | undefined): void {
  const now = textOf(file);
  if (now === before || now === undefined) return;
  if (written === undefined || withoutSalt(now) === withoutSalt(written)) {
    if (before === undefined) rmSync(file);
    else writeFileSync(file, before);
    return;
  }
  const old: unknown = parseDocument(before ?? "").getIn(KEY);
  const settings = parseDocument(now);
  if (old === undefined) settings.deleteIn(KEY);
  else settings.setIn(KEY, old);
  writeFileSync(file, settings.toString());
}

/** Pulumi itself adds that, where it wasn't needed before. */
const withoutSalt = (text: string): string => text.replace(/^encryptionsalt:.*\n?/m, "");
