import { readFileSync } from "node:fs";
import { stringify } from "yaml";
import { checkPlain, fill } from "../../../template.ts";

export interface CloudConfigArgs {
  /** The lake's bucket. */
  readonly bucket: string;
  /** Where in it the dashboard's releases are, without a slash at its ends: `_dashboard/<name>`. */
  readonly prefix: string;
  /** Container image that starts Node. */
  readonly image: string;
  /** Of the machine, as in the releases' config.json. */
  readonly port: number;
}

/**
 * What sets up the dashboard's instance, a Container-Optimized OS. Its /etc doesn't outlive a boot and cloud-init runs at
 * each, so nothing has to be enabled. It names no release: those come and go without it.
 *
 * @throws Error when a value is none that can stand in a unit.
 */
export function cloudConfig({ bucket, prefix, image, port }: CloudConfigArgs): string {
  const values = { bucket, prefix, image, port: String(port) };
  checkPlain(values);
  const config = {
    write_files: [
      { path: "/etc/oneoff-dashboard/bootstrap.mjs", permissions: "0644", content: read("bootstrap.mjs") },
      {
        path: "/etc/systemd/system/oneoff-dashboard.service",
        permissions: "0644",
        content: fill(read("oneoff-dashboard.service"), values),
      },
    ],
    runcmd: [
      ["systemctl", "daemon-reload"],
      // Not waited for: what it is after may only come up once cloud-init is through.
      ["systemctl", "start", "--no-block", "oneoff-dashboard.service"],
    ],
  };
  return `#cloud-config\n${stringify(config, { lineWidth: 0 })}`;
}

const read = (name: string): string => readFileSync(new URL(name, import.meta.url), "utf8");
