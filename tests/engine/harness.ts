/** Whole stacks on the real engine against fake providers. Each stack has a backend of its own, so they run side by side. */
import { readFileSync, writeFileSync } from "node:fs";
import { expect } from "vitest";
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
  const project = makeProject({ PULUMI_DEBUG_PROVIDERS: provider.attach(under.packages) }, "state");
  await project.mustPulumi("stack", "init", under.stack);
  const settings = Object.entries(under.config ?? {}).flatMap(([key, value]) => ["--plaintext", `${key}=${value}`]);
  if (settings.length > 0) await project.mustPulumi("config", "set-all", ...settings, "--stack", under.stack);
  return {
    ...project,
    provider,
    remove() {
      provider.close();
      project.remove();
    },
  };
}

/** Previews, ups, ups again and destroys: the second up must change nothing, and nothing may be left. */
export async function provesLifecycle(under: StackUnderTest): Promise<readonly Resource[]> {
  const project = await engine(under);
  try {
    await project.mustPulumi("preview", "--stack", under.stack);
    expect(project.provider.events).toEqual([]);
    expect(project.provider.invoked, "a preview asks the cloud nothing").toEqual([]);
    await project.mustPulumi("up", "--yes", "--skip-preview", "--stack", under.stack);
    const made = [...project.provider.ledger.values()];
    await project.mustPulumi("up", "--yes", "--skip-preview", "--expect-no-changes", "--stack", under.stack);
    expect(project.provider.events).toHaveLength(made.length);
    await project.mustPulumi("destroy", "--yes", "--skip-preview", "--stack", under.stack);
    expect([...project.provider.ledger.values()]).toEqual([]);
    return made;
  } finally {
    project.remove();
  }
}

/** Brings a stack up with settings that it must refuse, each time with the message and with nothing made. An empty value takes a setting away. */
export async function provesRefusals(
  under: StackUnderTest,
  refused: readonly (readonly [settings: Readonly<Record<string, string>>, message: string])[],
): Promise<void> {
  const project = await engine(under);
  const original = readFileSync(project.settingsFile(under.stack), "utf8");
  try {
    for (const [settings, message] of refused) {
      writeFileSync(project.settingsFile(under.stack), original);
      for (const [key, value] of Object.entries(settings)) {
        await project.mustPulumi("config", ...(value ? ["set", key, value] : ["rm", key]), "--stack", under.stack);
      }
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
    for (let resource = waiting.shift(); resource; resource = waiting.shift()) await failAt(under, resource);
  };
  await Promise.all(Array.from({ length: sideBySide }, worker));
}

async function failAt(under: StackUnderTest, { type, name }: Resource): Promise<void> {
  const project = await engine(under, { fails: (t, n) => t === type && n === name });
  try {
    const { code, output } = await project.pulumi("up", "--yes", "--skip-preview", "--stack", under.stack);
    expect(code, `up must fail at ${type} ${name}`).not.toBe(0);
    expect(output).toContain(`made to fail: ${type} ${name}`);
    await project.mustPulumi("destroy", "--yes", "--skip-preview", "--stack", under.stack);
    expect([...project.provider.ledger.values()], `left after failing at ${type} ${name}`).toEqual([]);
  } finally {
    project.remove();
  }
}
