/** Whose backend is used for what: the local defaults are for stacks that rent nothing. */
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";
import { isLocalBackend } from "../../components/common/backend.ts";
import { localBackendEnv, ownBackend, projectFolder } from "../../engine/backend.ts";
import { makeProject } from "../project.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const home = mkdtempSync(join(tmpdir(), "oneoff-backend-"));
afterAll(() => rmSync(home, { recursive: true, force: true }));

const nobody = { PULUMI_HOME: join(home, "nobody") };

test("the user's own backend is found by environment and by login, and then nothing is put over it", () => {
  expect(ownBackend({ ...nobody, PULUMI_BACKEND_URL: "s3://mine" })).toBe("s3://mine");
  expect(ownBackend({ ...nobody, PULUMI_ACCESS_TOKEN: "pul-x" })).toContain("PULUMI_ACCESS_TOKEN");
  mkdirSync(join(home, "somebody"));
  writeFileSync(join(home, "somebody", "credentials.json"), '{"current":"https://api.pulumi.com"}');
  const loggedIn = { PULUMI_HOME: join(home, "somebody") };
  expect(ownBackend(loggedIn)).toBe("https://api.pulumi.com");
  expect(localBackendEnv(loggedIn)).toEqual({});
  expect(ownBackend(nobody)).toBeUndefined();
  expect(ownBackend({ ...nobody, PULUMI_BACKEND_URL: "file:///anywhere/.oneoff/state" })).toBeUndefined();
});

test("without one the project's folder is used; a passphrase of the user's own is kept", () => {
  const env = localBackendEnv(nobody);
  expect(env.PULUMI_BACKEND_URL).toBe(`file://${join(projectFolder(), ".oneoff", "state")}`);
  expect(isLocalBackend(env.PULUMI_BACKEND_URL)).toBe(true);
  expect(env.PULUMI_CONFIG_PASSPHRASE).toBe("");
  expect(localBackendEnv({ ...nobody, PULUMI_CONFIG_PASSPHRASE: "mine" })).not.toHaveProperty(
    "PULUMI_CONFIG_PASSPHRASE",
  );
  expect(localBackendEnv({ ...nobody, PULUMI_CONFIG_PASSPHRASE_FILE: "/f" })).not.toHaveProperty(
    "PULUMI_CONFIG_PASSPHRASE",
  );
});

test("a stack that rents is refused on the local backend, before anything is made", async () => {
  const project = makeProject();
  try {
    // The program is found beside index.ts, so this project gets real copies of the two.
    for (const name of ["index.ts", "engine", "stacks"]) {
      if (name !== "stacks") rmSync(join(project.folder, name));
      cpSync(join(root, name), join(project.folder, name), { recursive: true });
    }
    const program = (rents: boolean) => `
      import { z } from "zod";
      import { stackProgram } from "../components/common/stack.ts";
      export default stackProgram({ about: "", rents: ${rents}, settings: () => z.object({}), run: () => ({ made: true }) });`;
    writeFileSync(join(project.folder, "stacks", "rented.ts"), program(true));
    await project.mustPulumi("stack", "init", "rented");
    const refused = await project.pulumi("up", "--yes", "--skip-preview", "--stack", "rented");
    expect(refused.code).not.toBe(0);
    expect(refused.output).toContain("stack rented rents machines, and the backend is the one for this machine only");
    expect(refused.output).toContain('"pulumi login"');
    writeFileSync(join(project.folder, "stacks", "rented.ts"), program(false));
    expect(await project.mustPulumi("up", "--yes", "--skip-preview", "--stack", "rented")).toContain("made: true");
  } finally {
    project.remove();
  }
}, 60_000);
