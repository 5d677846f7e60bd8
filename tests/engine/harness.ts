/** Whole stacks on the real engine against fake providers. Each stack has a backend of its own, so they run side by side. */
import { readFileSync, writeFileSync } from "node:fs";
import { expect } from "vitest";
import { parse, stringify } from "yaml";
import { makeProject, type Project } from "../project.ts";
import { type FakeOptions, type FakeProvider, fakeProvider, type Resource } from "./fake-provider.ts";

export interface StackUnderTest {
  readonly stack: string;
  /** Packages whose resources the fake provider takes. */
  readonly packages: readonly string[];
  /** Settings of the stack, full keys. @default those in its file */
  readonly config?: Readonly<Record<string, string>>;
  readonly fake?: FakeOptions;
}

export interface Engine extends Project {
  readonly provider: FakeProvider;
}

/** A project with the stack made and the fake provider attached. */
export async function engine(under: StackUnderTest, fake: FakeOptions = {}): Promise<Engine> {
  const provider = await fakeProvider({ ...under.fake, ...fake });
  const env = {
    PULUMI_DEBUG_PROVIDERS: provider.attach(under.packages),
    // The state is written when an update has ended, not after each of its resources as well.
    PULUMI_SKIP_CHECKPOINTS: "true",
  };
  const project = makeProject(env, "state");
  await project.mustPulumi("stack", "init", under.stack);
  configure(project, under.stack, under.config ?? {});
  return {
    ...project,
    provider,
    remove() {
      provider.close();
      project.remove();
    },
  };
}

/** By full key; undefined is to be taken away. */
export type Settings = Readonly<Record<string, string | undefined>>;

/** Puts settings into a stack's file, as `pulumi config` does. */
export function configure(project: Project, stack: string, settings: Settings): void {
  const file = project.settingsFile(stack);
  const { config, ...rest } = parse(readFileSync(file, "utf8"));
  const all = Object.entries({ ...config, ...settings }).filter(([, value]) => value !== undefined);
  writeFileSync(file, stringify({ ...rest, config: Object.fromEntries(all) }));
}

/** Previews, ups and ups again: the preview must make and ask nothing, and the second up change nothing. */
export async function provesUp(project: Engine, stack: string): Promise<readonly Resource[]> {
  await project.mustPulumi("preview", "--stack", stack);
  expect(project.provider.events).toEqual([]);
  expect(project.provider.invoked, "a preview asks the cloud nothing").toEqual([]);
  await project.mustPulumi("up", "--yes", "--skip-preview", "--stack", stack);
  const made = [...project.provider.ledger.values()];
  await project.mustPulumi("up", "--yes", "--skip-preview", "--expect-no-changes", "--stack", stack);
  expect(project.provider.events).toHaveLength(made.length);
  return made;
}

/** The same, and a destroy, after which nothing may be left. */
export async function provesLifecycle(under: StackUnderTest): Promise<readonly Resource[]> {
  const project = await engine(under);
  try {
    const made = await provesUp(project, under.stack);
    await project.mustPulumi("destroy", "--yes", "--skip-preview", "--stack", under.stack);
    expect([...project.provider.ledger.values()]).toEqual([]);
    return made;
  } finally {
    project.remove();
  }
}

/** Brings a stack up with settings that it must refuse, each time with the message and with nothing made. */
export async function provesRefusals(
  under: StackUnderTest,
  refused: readonly (readonly [settings: Settings, message: string])[],
): Promise<void> {
  const project = await engine(under);
  const original = readFileSync(project.settingsFile(under.stack), "utf8");
  try {
    for (const [settings, message] of refused) {
      writeFileSync(project.settingsFile(under.stack), original);
      configure(project, under.stack, settings);
      const { code, output } = await project.pulumi("up", "--yes", "--skip-preview", "--stack", under.stack);
      expect(code, message).not.toBe(0);
      expect(output).toContain(message);
      expect(output, message).not.toMatch(/\n\s+at /);
      expect(project.provider.events, message).toEqual([]);
    }
  } finally {
    project.remove();
  }
}

/** Has the stack fail at each of its resources in turn; each time a destroy must leave nothing. */
export async function provesFailures(under: StackUnderTest, made: readonly Resource[], sideBySide = 2): Promise<void> {
  const waiting = [...made];
  const worker = async () => {
    let failing: Resource | undefined;
    const project = await engine(under, { fails: (type, name) => type === failing?.type && name === failing.name });
    try {
      for (failing = waiting.shift(); failing; failing = waiting.shift()) await failsAt(failing, project, under.stack);
    } finally {
      project.remove();
    }
  };
  await Promise.all(Array.from({ length: sideBySide }, worker));
}

async function failsAt({ type, name }: Resource, project: Engine, stack: string): Promise<void> {
  const { code, output } = await project.pulumi("up", "--yes", "--skip-preview", "--stack", stack);
  expect(code, `up must fail at ${type} ${name}`).not.toBe(0);
  expect(output).toContain(`made to fail: ${type} ${name}`);
  await project.mustPulumi("destroy", "--yes", "--skip-preview", "--stack", stack);
  expect([...project.provider.ledger.values()], `left after failing at ${type} ${name}`).toEqual([]);
}
