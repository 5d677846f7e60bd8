/** What could be set goes on being set, by the same name, to the same default and with the same sentence. */
import { expect, test } from "vitest";
import { settingsOf } from "../docs/generated.ts";
import { readJsonFile } from "../project.ts";
import { folderOf, SETTINGS, versions } from "./states.ts";

const fixtures = versions().flatMap((version) => Object.keys(SETTINGS).map((name) => [name, version] as const));

test.each(fixtures)("settings %s of version %s are as they were", async (name, version) => {
  const { stack, job } = SETTINGS[name] as (typeof SETTINGS)[string];
  const before = readJsonFile(folderOf(version), "settings", `${name}.json`) as readonly object[];
  expect(before.length).toBeGreaterThan(8);
  expect(await settingsOf(stack, { "oneoff:job": job })).toEqual(expect.arrayContaining([...before]));
});
