/** What the dashboard's instance on Google Cloud is set up with. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { cloudConfig } from "../../../assets/dashboard/instance/gcp/user-data.ts";
import { BOOTSTRAP, command, config, environment, given, option } from "./gcp-instance.ts";

describe("cloud-init's document", () => {
  test("Compute Engine takes it, and cloud-init knows it", () => {
    expect(cloudConfig(given)).toMatch(/^#cloud-config\n/);
    expect(Buffer.byteLength(cloudConfig(given))).toBeLessThan(256 * 1024);
    expect(cloudConfig(given)).not.toMatch(/\{\{|\}\}\n/);
  });

  test("it writes the program that is tested, and the unit", () => {
    expect(config().write_files.map(({ path, permissions }) => [path, permissions])).toEqual([
      ["/etc/oneoff-dashboard/bootstrap.mjs", "0644"],
      ["/etc/systemd/system/oneoff-dashboard.service", "0644"],
    ]);
    expect(config().write_files[0]?.content).toBe(readFileSync(BOOTSTRAP, "utf8"));
    expect(config().runcmd).toEqual([
      ["systemctl", "daemon-reload"],
      ["systemctl", "start", "--no-block", "oneoff-dashboard.service"],
    ]);
  });

  test("the container may write its releases and nothing else, and has no rights of root's", () => {
    const words = command();
    expect(words.slice(0, 2)).toEqual(["/usr/bin/docker", "run"]);
    for (const flag of ["--read-only", "--rm"]) expect(words).toContain(flag);
    expect(words).not.toContain("--privileged");
    expect(option("user")).toEqual(["65532:65532"]);
    expect(option("cap-drop")).toEqual(["ALL"]);
    expect(option("security-opt")).toEqual(["no-new-privileges"]);
    expect(option("memory")).toEqual(option("memory-swap"));
    expect(option("volume")).toEqual([
      "/etc/oneoff-dashboard:/etc/oneoff-dashboard:ro",
      "/var/lib/oneoff-dashboard:/var/lib/oneoff-dashboard",
    ]);
    expect(option("publish")).toEqual(["8765:8765"]);
    expect(words.slice(-2)).toEqual([given.image, "/etc/oneoff-dashboard/bootstrap.mjs"]);
  });

  test("Docker takes the command", { tags: ["docker"] }, () => {
    const env = { PATH: process.env.PATH, DOCKER_HOST: "unix:///nonexistent" };
    const run = (args: readonly string[]) => spawnSync("docker", args, { env, encoding: "utf8" }).stderr;
    // It reads its options before it asks for its daemon.
    expect(run(command().slice(1))).toMatch(/connect/);
    expect(run(command().toSpliced(2, 0, "--no-such-option"))).not.toMatch(/connect/);
  });

  test("systemd takes the unit", { tags: ["systemd"] }, () => {
    const folder = mkdtempSync(join(tmpdir(), "oneoff-unit-"));
    const verify = (unit: string) => {
      const file = join(folder, "oneoff-dashboard.service");
      writeFileSync(file, unit);
      const { stderr } = spawnSync("systemd-analyze", ["verify", file], { encoding: "utf8" });
      // The programs may not be on this machine; everything else would be a mistake.
      return stderr.split("\n").filter((line) => line && !/is not executable: No such file/.test(line));
    };
    const unit = config().write_files[1]?.content ?? "";
    expect(verify(unit)).toEqual([]);
    expect(verify(unit.replace("Restart=always", "Restart=perhaps"))).not.toEqual([]);
    rmSync(folder, { recursive: true });
  });

  test("another bucket, port and image", () => {
    const other = {
      bucket: "b-2",
      prefix: "_dashboard/d2",
      port: 9000,
      image: "europe-docker.pkg.dev/p/r/node@sha256:1f",
    };
    expect(environment(other)).toMatchObject({ ONEOFF_SOURCE: "gs://b-2/_dashboard/d2", ONEOFF_PORT: "9000" });
    expect(option("publish", command(other))).toEqual(["9000:9000"]);
    expect(command(other).at(-2)).toBe(other.image);
  });

  test.each([
    ["bucket", "a b"],
    ["bucket", ""],
    ["prefix", "$(reboot)"],
    ["prefix", "_dashboard/d/"],
    ["image", "node --privileged"],
    ["image", "--privileged"],
    ["image", "node:"],
  ])("none with %s %j", (name, value) => {
    expect(() => cloudConfig({ ...given, [name]: value })).toThrow(`${name} cannot be ${JSON.stringify(value)}`);
  });
});
