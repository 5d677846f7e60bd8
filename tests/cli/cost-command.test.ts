/** What a stack would cost, and what is to be said of its panels, by the commands, in a project of Pulumi's and outside of one. */
import { existsSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { programs } from "../../stacks/index.ts";
import { makeProject, type Project } from "../project.ts";

test("the command: no credentials, no backend; every stack by its own program", async () => {
  const project = makeProject({
    AWS_REGION: "us-west-2",
    AWS_ACCESS_KEY_ID: "",
    AWS_SECRET_ACCESS_KEY: "",
    HOME: "/nowhere",
  });
  try {
    expect(await project.oneoff("cost", "local")).toEqual({
      code: 0,
      output: "Stack local rents nothing: it costs nothing.\n",
    });
    const real = await project.oneoff("cost", "emr-oneoff");
    expect(real.code).toBe(0);
    expect(real.output).toMatch(/^what .* USD\/h .*\nprimary node, m6g.xlarge: EC2 and EMR /);
    expect(real.output).toMatch(/\nAt most \d+\.\d\d USD, by AWS's list prices of /);
    const refused = await project.oneoff("cost", "emr-oneoff", "--set", "maxCost=0.1", "--set", "workers=1");
    expect(refused).toMatchObject({
      code: 5,
      output: expect.stringContaining('"pulumi up" refuses it: oneoff:maxCost is 0.1 USD'),
    });
    expect(refused.output).toContain("1 worker, m7g.xlarge");
    const google = await project.oneoff("cost", "dataproc", "--set", "gcp:region=europe-west1");
    expect(google.code).toBe(0);
    expect(google.output).toMatch(/\nAt most \d+\.\d\d USD, by Google's list prices of \d{4}-\d\d-\d\d, without tax/);
    expect(await project.oneoff("cost", "nope")).toMatchObject({
      code: 6,
      output: expect.stringContaining('oneoff: there is no program "nope" in stacks/'),
    });
  } finally {
    project.remove();
  }
}, 60_000);

const withProject = async (file: string | undefined, check: (project: Project) => Promise<void>) => {
  // Nobody is logged in.
  const project = makeProject({
    AWS_REGION: "us-west-2",
    PULUMI_BACKEND_URL: undefined,
    PULUMI_CREDENTIALS_PATH: "/nowhere",
  });
  const at = join(project.folder, "Pulumi.yaml");
  try {
    rmSync(join(project.folder, ".oneoff", "state"), { recursive: true });
    if (file === undefined) rmSync(at);
    else writeFileSync(at, file);
    await check(project);
  } finally {
    project.remove();
  }
};

test("oneoff check: the panels of a stack's job, as its lake's engine shows them", async () => {
  const project = makeProject({ AWS_REGION: "us-west-2", AWS_ACCESS_KEY_ID: "", HOME: "/nowhere" });
  try {
    const fine = (engine: string) => `job "xo": 5 panels of it looked at, as ${engine} shows them: fine\n`;
    expect(await project.oneoff("check")).toEqual({ code: 0, output: fine("DuckDB") });
    expect(await project.oneoff("check", "-s", "emr-oneoff")).toEqual({ code: 0, output: fine("Athena") });
    const [script, module] = ["generate.py", "index.ts"].map((name) => `assets/jobs/xo/${name}`) as [string, string];
    expect(await project.oneoff("check", script)).toEqual({
      code: 0,
      output: `${script}: Python that says what it takes: fine\n`,
    });
    expect(await project.oneoff("check", module)).toEqual({ code: 0, output: fine("DuckDB") });
    for (const [name, text, code, message] of [
      ["bad.py", "def f(:", 1, "error    bad.py: it is no Python: SyntaxError: invalid syntax\n"],
      ["lost.py", "import nowhere", 1, "lost.py: it doesn't come as far as its --help: ModuleNotFoundError: No module"],
      ["none.ts", "export const x = 1;", 2, 'file is "none.ts": it exports no job'],
      ["throws.ts", 'throw new Error("no luck");', 2, "oneoff: throws.ts: no luck\n"],
      ["maker.ts", 'export const make = () => { throw new Error("no luck"); };', 2, "oneoff: maker.ts: no luck\n"],
      ["syntax.ts", "export const = 1;", 2, "oneoff: syntax.ts: "],
      ["lacks.ts", 'import "no-such-package";', 2, "oneoff: lacks.ts: Cannot find package 'no-such-package'"],
      ["job.md", "# A job", 2, 'file is "job.md": expected a step\'s script (.py)'],
    ] as const) {
      writeFileSync(join(project.folder, name), text);
      expect(await project.oneoff("check", name)).toMatchObject({ code, output: expect.stringContaining(message) });
    }
    expect(await project.oneoff("check", "gone.py")).toMatchObject({ code: 6 });
    expect(await project.oneoff("check", "--stack", "nope")).toMatchObject({
      code: 6,
      output: expect.stringContaining('oneoff: there is no program "nope" in stacks/'),
    });
  } finally {
    project.remove();
  }
});

test("outside of a project the programs that come with the package are told of with their defaults", async () => {
  await withProject(undefined, async ({ folder, oneoff }) => {
    rmSync(join(folder, "stacks"), { recursive: true });
    for (const [name, setting] of [
      ["local", "cores"],
      ["emr-oneoff", "workers"],
    ]) {
      const { code, output } = await oneoff("settings", name as string);
      expect(code).toBe(0);
      expect(output).toContain(`| \`oneoff:${setting}\``);
    }
    const bill = await oneoff("cost", "emr-oneoff", "--set", "workers=5");
    expect(bill.code).toBe(0);
    expect(bill.output).toMatch(/^5 workers, /m);
    for (const command of ["settings", "cost", "doctor"]) {
      expect(await oneoff(command, "nope")).toEqual({
        code: 6,
        output: `oneoff: there is no program "nope", and no Pulumi.yaml here or above: give this command in the folder of the project, or for one of ${programs().join(", ")}\n`,
      });
    }
    for (const command of ["watch", "open", "run", "env"]) {
      const refused = await oneoff(...(command === "env" ? ["env"] : [command, "local"]));
      expect(refused).toMatchObject({
        code: 2,
        output: expect.stringContaining("oneoff: there is no Pulumi.yaml in "),
      });
    }
    expect(existsSync(join(folder, ".oneoff", "state"))).toBe(false);
  });
}, 120_000);

test("a stack of a program of the user's own is not taken for one of ours because of its name", async () => {
  await withProject("name: oneoff\nruntime: nodejs\nstackConfigDir: stacks\n", async ({ folder, oneoff }) => {
    const settings = await oneoff("settings", "emr-oneoff");
    expect(settings).toMatchObject({ code: 0, output: expect.stringContaining("made by a program of your own") });
    expect(settings.output.match(/`oneoff:\w+`/g)).toEqual(["`oneoff:runId`"]);
    expect((await oneoff("settings", "emr-oneoff", "--job", "xo")).output).toBe(
      'oneoff: --job is "xo", and stack emr-oneoff is made by a program of your own, which has the job that it makes: leave it out\n',
    );
    const lost = await oneoff("watch", "emr-oneoff");
    expect(lost).toEqual({
      code: 3,
      output:
        'oneoff: you are not logged in to a Pulumi backend, where stack emr-oneoff would be: log in with "pulumi login" (or set PULUMI_BACKEND_URL); if it rents nothing, eval "$(npx --no oneoff env emr-oneoff)" keeps it in .oneoff/state\n',
    });
    expect(existsSync(join(folder, ".oneoff", "state"))).toBe(false);
    const { code, output } = await oneoff("env");
    expect(code).toBe(0);
    expect(output).toContain("export PULUMI_BACKEND_URL=");
    expect(await oneoff("watch", "emr-oneoff")).toEqual({
      code: 6,
      output: 'oneoff: there is no stack emr-oneoff: "npx --no oneoff up emr-oneoff" makes it and brings it up\n',
    });
  });
}, 120_000);

test("our programs are told by the project's main, whatever it is called; another project's stack is not of it", async () => {
  await withProject(
    "name: mine\nruntime: nodejs\nmain: ./engine/program.mjs\nstackConfigDir: stacks\n",
    async ({ oneoff }) => {
      expect(await oneoff("cost", "local")).toMatchObject({ code: 0 });
      expect(await oneoff("cost", "me/mine/emr-oneoff")).toMatchObject({ code: 0 });
      expect(await oneoff("cost", "me/other/emr-oneoff")).toMatchObject({
        code: 6,
        output: 'oneoff: stack emr-oneoff is of project "other", and this is "mine": go to its folder\n',
      });
      expect(await oneoff("watch", "emr-oneoff")).toMatchObject({
        code: 3,
        output: expect.stringContaining(
          "stack emr-oneoff rents machines and you are not logged in to a Pulumi backend",
        ),
      });
    },
  );
}, 60_000);
