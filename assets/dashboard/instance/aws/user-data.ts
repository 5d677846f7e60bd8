import { readFileSync } from "node:fs";
import { checkPlain, fill } from "../../../template.ts";

export interface UserDataArgs {
  /** The lake's bucket. */
  readonly bucket: string;
  /** Where in it the dashboard's releases are, without a slash at its ends: `_dashboard/<name>`. */
  readonly prefix: string;
  readonly region: string;
  /** Of 127.0.0.1, as in the releases' config.json. @default 8765 */
  readonly port?: number;
}

/** Where the dashboard's releases are on its instance; the one that runs is `current`, with its page in `page/`. */
export const INSTANCE_HOME = "/opt/oneoff-dashboard";

/** The files that the script writes, by where they go. */
const FILES = {
  [`${INSTANCE_HOME}/update.sh`]: "update.sh",
  "/etc/systemd/system/oneoff-dashboard.service": "oneoff-dashboard.service",
  "/etc/systemd/system/oneoff-dashboard-update.service": "oneoff-dashboard-update.service",
  "/etc/systemd/system/oneoff-dashboard-update.timer": "oneoff-dashboard-update.timer",
};

/**
 * The script that sets up the dashboard's instance at its first boot. It names no release: those come and go without it.
 *
 * @throws Error when a value is none that can stand in a shell script.
 */
export function userData({ bucket, prefix, region, port = 8765 }: UserDataArgs): string {
  const values = { bucket, prefix, region, port: String(port) };
  checkPlain(values);
  const files = Object.entries(FILES).map(
    ([path, name]) => `cat >${path} <<'END_OF_FILE'\n${fill(read(name), values)}END_OF_FILE`,
  );
  return fill(read("user-data.sh"), { ...values, files: files.join("\n\n") });
}

const read = (name: string): string => readFileSync(new URL(name, import.meta.url), "utf8");
