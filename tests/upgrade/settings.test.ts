/** What could be set goes on being set, by the same name and to the same default. */
import { expect, test } from "vitest";
import type { SettingDoc } from "../../core/settings.ts";
import { settingsOf } from "../docs/generated.ts";
import { readJsonFile } from "../project.ts";
import { folderOf, SETTINGS, versions } from "./states.ts";

const withoutSentence = ({ about: _, ...setting }: SettingDoc) => setting;
const fixtures = versions().flatMap((version) => Object.keys(SETTINGS).map((name) => [name, version] as const));

test.each(fixtures)("settings %s of version %s are as they were", async (name, version) => {
  const { stack, job } = SETTINGS[name] as (typeof SETTINGS)[string];
  const before = readJsonFile(folderOf(version), "settings", `${name}.json`) as readonly SettingDoc[];
  expect(before.length).toBeGreaterThan(8);
  const now = await settingsOf(stack, { "oneoff:job": job });
  expect(now.map(withoutSentence)).toEqual(expect.arrayContaining(before.map(withoutSentence)));
});
