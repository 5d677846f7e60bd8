import { invalid } from "../../core/errors.ts";

/** A key, or the beginning of keys, as it was given. @throws UsageError when it leads out of its lake. */
export function checkKey(key: string, setting = "key"): string {
  if (key.split(/[/\\]/).includes("..")) throw invalid(setting, key, 'expected a path below the lake, without ".."');
  return key;
}

/** The deepest folder that a beginning of keys names: "_runs/" of "_runs/1". Empty or with "/" at its end. */
export const folderOf = (prefix: string): string => prefix.slice(0, prefix.lastIndexOf("/") + 1);
