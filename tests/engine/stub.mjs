#!/usr/bin/env node
// Stands in for the programs that set-up calls: links to this file are called java, python3.11, npm, go and so on. Each
// call is noted in $CALLS; $FAKE_<NAME> makes one behave in another way. `python -m pip` is noted as pip, with the file
// of what it installs.
import * as fs from "node:fs";
import { basename, dirname, join, relative } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const program = basename(process.argv[1]).replace(/[\d.]+$/, "");
const isPip = program === "python" && process.argv[3] === "pip";
const name = isPip ? "pip" : program;
const args = isPip ? ["install", relative(process.cwd(), process.argv.at(-1))] : process.argv.slice(2);
const fake = process.env[`FAKE_${name.toUpperCase()}`] ?? "";
fs.appendFileSync(process.env.CALLS, `${name} ${args[0]} ${args[1] ?? ""}`.trim().concat("\n"));
if (fake === "fails") {
  console.error("something went wrong");
  process.exit(1);
}
if (fake === "disk full") {
  console.error("write failed: No space left on device");
  process.exit(1);
}

const programs = {
  java: () => console.error(`openjdk version "${fake || "17.0.15"}" 2025-04-15`),
  chromium: () => console.log("Chromium 140.0"),
  "apt-get"() {
    const programs = args.flatMap((name) => ({ "docker.io": ["docker", "dockerd"], iproute2: ["ip"] })[name] ?? [name]);
    for (const program of programs.filter((name) => /^(chromium|docker|dockerd|debootstrap|ip|iptables)$/.test(name))) {
      fs.symlinkSync(fs.realpathSync(process.argv[1]), join(dirname(process.argv[1]), program));
    }
  },
  python() {
    if (args[0] === "-c") console.log(fake || "3.11.7\nvenv");
    if (args[1] === "venv") {
      fs.mkdirSync(join(args[2], "bin"), { recursive: true });
      fs.symlinkSync(fs.realpathSync(process.argv[1]), join(args[2], "bin/python"));
    }
  },
  pip() {},
  async npm() {
    if (fake === "hangs") await sleep(60_000);
    if (fake === "is slow") await sleep(800);
    fs.rmSync("node_modules", { recursive: true, force: true });
    fs.mkdirSync("node_modules/.bin", { recursive: true });
    if (fake !== "ignores scripts") {
      fs.mkdirSync("node_modules/node/bin", { recursive: true });
      fs.symlinkSync(process.execPath, "node_modules/node/bin/node");
    }
    fs.mkdirSync("node_modules/pulumi/lib", { recursive: true });
    fs.copyFileSync(
      join(dirname(fs.realpathSync(process.argv[1])), "stub-download.cjs"),
      "node_modules/pulumi/lib/download.js",
    );
    const { packages } = JSON.parse(fs.readFileSync("package-lock.json", "utf8"));
    delete packages[""];
    fs.writeFileSync("node_modules/.package-lock.json", JSON.stringify({ packages }));
  },
  go() {
    if (args[0] === "version") return console.log(`go version go${fake || "1.26.8"} linux/amd64`);
    fs.writeFileSync(args[args.indexOf("-o") + 1], "#!/bin/sh\necho 3.250.0\n", { mode: 0o755 });
  },
};
await programs[name]();
