/** The engine that tests of the swarm start for themselves. */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { promisify } from "node:util";
import { afterEach, expect, test, vi } from "vitest";
import { type Swarm, startSwarm } from "../swarm/daemon.ts";

const run = promisify(execFile);

afterEach(() => vi.unstubAllEnvs());

const docker = async ({ env }: Swarm, ...args: readonly string[]) =>
  (await run("docker", [...args], { env: { ...process.env, ...env } })).stdout.trim();

test("is in swarm mode, and what one test makes another does not find", { timeout: 120_000 }, async ({ skip }) => {
  vi.stubEnv("ONEOFF_TEST_DOCKER", undefined);
  const first = await startSwarm();
  if ("missing" in first) return skip(first.missing);
  try {
    expect(await docker(first, "info", "--format", "{{.Swarm.LocalNodeState}}")).toBe("active");
    await docker(first, "volume", "create", "left");
    await docker(first, "network", "create", "--driver", "overlay", "left");
  } finally {
    await first.stop();
  }
  expect(existsSync(first.host.replace("unix://", ""))).toBe(false);

  const second = await startSwarm();
  if ("missing" in second) throw new Error(second.missing);
  try {
    expect(await docker(second, "volume", "ls", "--quiet")).toBe("");
    expect(await docker(second, "network", "ls", "--quiet", "--filter", "name=left")).toBe("");
  } finally {
    await second.stop();
  }
});

test("says why the engine that runs cannot be used", async () => {
  vi.stubEnv("ONEOFF_TEST_DOCKER", "use");
  vi.stubEnv("DOCKER_HOST", "unix:///nonexistent/docker.sock");
  expect(await startSwarm()).toEqual({
    missing: expect.stringMatching(
      /^ONEOFF_TEST_DOCKER=use, but Docker at unix:\/\/\/nonexistent\/docker.sock does not answer: /,
    ),
  });
});
