/** The test provider on the real engine and a real Docker: what is made, what a second `up` does, and what is left. */
import { execFile, execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startSwarm } from "../swarm/daemon.ts";
import { type DockerProvider, startDockerProvider } from "../swarm/docker-provider.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const BASE = "oneoff-test/debian:bookworm";
const PREFIX = `dockerprovider${randomBytes(3).toString("hex")}`;

const docker = (...args: readonly string[]) => execFileSync("docker", args, { encoding: "utf8" }).trim();
const swarm = await startSwarm();
if ("missing" in swarm) console.warn(`NOT TESTED, the docker provider on a real Docker: ${swarm.missing}`);
else process.env.DOCKER_HOST = swarm.host; // for the provider's process too, a child of this one

describe.skipIf("missing" in swarm)("the docker provider", { timeout: 180_000 }, () => {
  let folder: string;
  let port: number;
  let provider: DockerProvider;

  beforeAll(async () => {
    execFileSync("sh", [join(ROOT, "tests/swarm/base-image.sh")]);
    provider = await startDockerProvider();
    port = await freePort();
    folder = mkdtempSync(join(tmpdir(), "oneoff-docker-"));
    for (const name of ["state", "context"]) mkdirSync(join(folder, name));
    symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));
    cpSync(join(ROOT, "tests/swarm/docker-program.ts"), join(folder, "main.ts"));
    const write = (name: string, text: string) => writeFileSync(join(folder, name), text);
    write("package.json", '{ "type": "module" }');
    write("Pulumi.yaml", "{ name: made, runtime: { name: nodejs, options: { typescript: false } }, main: main.ts }");
    write("context/Dockerfile", "ARG BASE\nFROM $BASE\nRUN echo built >/built\n");
    await must("stack", "init", "test");
  }, 600_000); // Go may have to build it first

  afterAll(async () => {
    if ("missing" in swarm) return;
    await pulumi("destroy", "--yes", "--skip-preview", "--refresh");
    provider?.stop();
    rmSync(folder, { recursive: true, force: true });
    await swarm.stop();
  }, 180_000);

  const pulumi = (...args: readonly string[]): Promise<{ readonly code: number; readonly output: string }> =>
    new Promise((resolve) => {
      const env = {
        ...process.env,
        ...provider.env,
        ...{ PREFIX, BASE, PORT: String(port), CONTEXT: join(folder, "context") },
        PATH: [join(ROOT, "node_modules/.bin"), process.env.PATH].join(delimiter),
        PULUMI_BACKEND_URL: `file://${folder}/state`,
        PULUMI_CONFIG_PASSPHRASE: "",
        PULUMI_SKIP_UPDATE_CHECK: "true",
      };
      const child = execFile(
        "pulumi",
        [...args, "--non-interactive", "--color=never"],
        { cwd: folder, env, maxBuffer: 1 << 26 },
        (_, out, err) => resolve({ code: child.exitCode ?? -1, output: out + err }),
      );
    });

  async function must(...args: readonly string[]): Promise<string> {
    const { code, output } = await pulumi(...args);
    if (code !== 0) throw new Error(`pulumi ${args.join(" ")} ended with ${code}:\n${output}`);
    return output;
  }

  const up = (...args: readonly string[]) => must("up", "--yes", "--skip-preview", ...args);
  const unchanged = () => must("preview", "--expect-no-changes");
  const set = (key: string, value: string) => must("config", "set", key, value);
  const service = (format: string) => docker("service", "inspect", `${PREFIX}-service`, "--format", format);
  const left = () =>
    ["service", "network", "secret", "config", "ps", "image"].flatMap((what) => {
      const names = { ps: "{{.Names}}", image: "{{.Repository}}" }[what] ?? "{{.Name}}";
      const list = what === "ps" ? ["ps", "--all"] : [what, "ls"];
      return docker(...list, "--format", names)
        .split("\n")
        .filter((name) => name.startsWith(PREFIX))
        .map((name) => `${what} ${name}`);
    });

  test("a preview shows what would be made and makes none of it", async () => {
    expect(await must("preview")).toContain("7 to create");
    expect(left()).toEqual([]);
  });

  test("an up makes it all, with the state's secrets encrypted, and a second one changes nothing", async () => {
    await up();
    expect(service("{{.Spec.TaskTemplate.ContainerSpec.Image}} {{.Spec.EndpointSpec.Mode}}")).toBe(
      `${PREFIX}-image:one dnsrr`,
    );
    expect(docker("exec", `${PREFIX}-container`, "cat", "/etc/uploaded", "/built")).toBe("onebuilt");
    expect(docker("port", `${PREFIX}-container`)).toBe(`8080/tcp -> 127.0.0.1:${port}`);
    expect(await must("stack", "export")).not.toContain(btoa("hush"));
    expect(await must("stack", "output", "secretData")).toContain("[secret]");
    await up("--expect-no-changes");
    await up("--expect-no-changes", "--refresh");
  });

  test("more replicas change the service alone", async () => {
    await set("replicas", "2");
    expect(await up()).toMatch(/~ 1 updated\s+6 unchanged/);
    expect(service("{{.Spec.Mode.Replicated.Replicas}}")).toBe("2");
    await unchanged();
  });

  test("what cannot be changed is replaced, and the service outlives what it uses", async () => {
    const id = service("{{.ID}}");
    await set("text", "two");
    expect(await up()).toMatch(/~ 1 updated\s+\+-3 replaced/);
    expect(service("{{.ID}} {{.Spec.TaskTemplate.ContainerSpec.Image}}")).toBe(`${id} ${PREFIX}-image:two`);
    expect(docker("exec", `${PREFIX}-container`, "cat", "/etc/uploaded")).toBe("two");
    expect(left().filter((name) => name.startsWith("config"))).toEqual([`config ${PREFIX}-settings-two`]);
    await unchanged();
  });

  test("what the provider would change each time is seen to change each time", async () => {
    await set("trap", "yes");
    await up();
    const { code, output } = await pulumi("preview", "--expect-no-changes", "--diff");
    expect(code).not.toBe(0);
    expect(output).toContain("window");
    await must("config", "rm", "trap");
  });

  test("a service that does not converge fails the up, which the next one mends", async () => {
    await set("healthy", "false");
    await set("timeout", "10s");
    const { code, output } = await pulumi("up", "--yes", "--skip-preview");
    expect(code).not.toBe(0);
    expect(output).toContain("did not converge after 10s");
    await must("config", "rm", "healthy");
    await must("config", "rm", "timeout");
    await up();
    await unchanged();
  });

  test("an input that the provider refuses is named", async () => {
    await set("timeout", "soon");
    const { code, output } = await pulumi("preview");
    expect(code).not.toBe(0);
    expect(output).toContain("'soon' is not a valid duration");
    expect(output).toContain("convergeConfig.timeout");
    await must("config", "rm", "timeout");
  });

  test("a daemon that does not answer is told already by the preview", async () => {
    await set("docker:host", "unix:///nowhere/docker.sock");
    const { code, output } = await pulumi("preview");
    expect(code).not.toBe(0);
    expect(output).toContain("failed to connect to any docker daemon");
    await must("config", "rm", "docker:host");
  });

  test("a destroy leaves nothing", async () => {
    await must("destroy", "--yes", "--skip-preview");
    expect(left()).toEqual([]);
  });
});

const freePort = () =>
  new Promise<number>((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { readonly port: number };
      server.close(() => resolve(port));
    });
  });
