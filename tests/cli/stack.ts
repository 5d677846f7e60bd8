/** A stack on AWS as the command line finds it: settings in files, outputs in a Pulumi backend. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { makeProject, type Project } from "../project.ts";

export const STACK = "emr-oneoff";

export interface StackOnAws extends Project {
  setOutputs(outputs: Readonly<Record<string, unknown>>): Promise<void>;
}

/** @param env of the commands, beside the project's own. */
export async function stackOnAws(
  env: NodeJS.ProcessEnv,
  outputs: Readonly<Record<string, unknown>>,
): Promise<StackOnAws> {
  const backend = mkdtempSync(join(tmpdir(), "oneoff-backend-"));
  const project = makeProject({ ...env, PULUMI_BACKEND_URL: pathToFileURL(backend).href });
  writeFileSync(
    join(project.folder, "stacks", `Pulumi.${STACK}.yaml`),
    'config:\n  aws:region: us-west-2\n  oneoff:workers: "3"\n',
  );
  await project.mustPulumi("stack", "init", STACK);
  const setOutputs = async (outputs: Readonly<Record<string, unknown>>) => {
    const file = join(project.folder, "state.json");
    const type = "pulumi:pulumi:Stack";
    const urn = `urn:pulumi:${STACK}::oneoff::${type}::oneoff-${STACK}`;
    const manifest = { time: "2026-01-01T00:00:00Z", magic: "", version: "" };
    const deployment = { manifest, resources: [{ urn, custom: false, type, outputs }] };
    writeFileSync(file, JSON.stringify({ version: 3, deployment }));
    await project.mustPulumi("stack", "import", "--file", file, "--stack", STACK);
  };
  await setOutputs(outputs);
  return {
    ...project,
    setOutputs,
    remove() {
      project.remove();
      rmSync(backend, { recursive: true, force: true });
    },
  };
}
