/** The script that sets up the dashboard's instance, as far as it can be seen without one. */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { userData } from "../../assets/dashboard/instance/aws/user-data.ts";

const args = { bucket: "lake-1a2b", prefix: "_dashboard/dashboard", region: "us-west-2" };
const script = userData(args);
const folder = mkdtempSync(join(tmpdir(), "user-data-"));
afterAll(() => rmSync(folder, { recursive: true }));

const source = (name: string) =>
  readFileSync(new URL(`../../assets/dashboard/instance/aws/${name}`, import.meta.url), "utf8");

/** The files that the script would write, by their paths. */
const files = Object.fromEntries(
  [...script.matchAll(/^cat >(\S+) <<'END_OF_FILE'\n(.*?)^END_OF_FILE$/gms)].map(([, path, text]) => [path, text]),
);

test("EC2 takes it", () => {
  expect(script.startsWith("#!/bin/bash\n")).toBe(true);
  expect(Buffer.byteLength(script)).toBeLessThan(16_384);
});

test("it is a shell script without holes", () => {
  const file = join(folder, "user-data.sh");
  writeFileSync(file, script);
  execFileSync("bash", ["-n", file]);
  expect(script).not.toMatch(/\{\{|\}\}/);
});

test("it writes the files that are tested, and nothing but what is its own differs", () => {
  expect(Object.keys(files)).toEqual([
    "/etc/oneoff-dashboard.env",
    "/opt/oneoff-dashboard/update.sh",
    "/etc/systemd/system/oneoff-dashboard.service",
    "/etc/systemd/system/oneoff-dashboard-update.service",
    "/etc/systemd/system/oneoff-dashboard-update.timer",
  ]);
  expect(files["/opt/oneoff-dashboard/update.sh"]).toBe(source("update.sh"));
  expect(files["/etc/oneoff-dashboard.env"]).toBe(
    "AWS_REGION=us-west-2\nONEOFF_SOURCE=s3://lake-1a2b/_dashboard/dashboard\nONEOFF_PORT=8765\n",
  );
  expect(files["/etc/systemd/system/oneoff-dashboard.service"]).toBe(
    source("oneoff-dashboard.service").replace("{{region}}", "us-west-2"),
  );
});

test("another port", () => {
  expect(userData({ ...args, port: 9000 })).toBe(script.replace("ONEOFF_PORT=8765", "ONEOFF_PORT=9000"));
});

test.each([
  ["bucket", "a b"],
  ["bucket", "x; reboot"],
  ["prefix", "$(reboot)"],
  ["prefix", "_dashboard/d/"],
  ["prefix", "a\nEND_OF_FILE"],
  ["region", ""],
])("no script with %s %j", (name, value) => {
  expect(() => userData({ ...args, [name]: value })).toThrow(`${name} cannot be ${JSON.stringify(value)}`);
});

test("systemd takes the units, and finds the service well closed", { tags: ["systemd"] }, () => {
  const units = Object.entries(files).filter(([path]) => path.includes("/systemd/"));
  for (const [path, text] of units) writeFileSync(join(folder, path.split("/").at(-1) as string), text as string);
  const names = units.map(([path]) => join(folder, path.split("/").at(-1) as string));
  const { stderr } = spawnSync("systemd-analyze", ["verify", ...names], { encoding: "utf8" });
  // The programs are not on this machine; everything else would be a mistake.
  expect(stderr.split("\n").filter((line) => line && !/is not executable: No such file/.test(line))).toEqual([]);
  const service = join(folder, "oneoff-dashboard.service");
  const exposure = ["security", "--offline=true", "--threshold=20", service];
  expect(spawnSync("systemd-analyze", exposure, { encoding: "utf8" }).status).toBe(0);
  writeFileSync(service, "[Service]\nExecStart=/bin/true\n");
  expect(spawnSync("systemd-analyze", exposure, { encoding: "utf8" }).status).not.toBe(0);
});
