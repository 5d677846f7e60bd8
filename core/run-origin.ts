/** What made a run: the settings, the steps' programs, and the commit of the project that they were in. No secret is in it. */
export interface RunOrigin {
  /** Of pulumi-oneoff. */
  readonly version: string;
  /** By full key; null: its value is a secret, and only its name is recorded. */
  readonly settings: Readonly<Record<string, string | null>>;
  readonly steps: readonly StepOrigin[];
  /** Of the project's git. @default there is no git, or it didn't answer */
  readonly commit?: string | undefined;
  /** Whether files of the project were changed since that commit, but for the stacks' settings. */
  readonly changed?: boolean | undefined;
}

export interface StepOrigin {
  readonly name: string;
  /** As the job has them, with placeholders. */
  readonly arguments: readonly string[];
  /** Beginning of the SHA-256 of each file's content, by its name: script, jar, modules, files, requirements. */
  readonly files: Readonly<Record<string, string>>;
}

/** Less would be found everywhere, and so tell nothing. */
const SHORTEST_SECRET = 4;

/**
 * A text in which each secret stands as its name, `[secret oneoff:token]`.
 *
 * @param secrets by name.
 */
export const withoutSecrets = (text: string, secrets: Readonly<Record<string, string>>): string =>
  Object.entries(secrets)
    .flatMap(([name, secret]) => formsOf(secret).map((form) => ({ name, form })))
    // The longest first: of a secret that begins with another the rest would be left.
    .sort((a, b) => b.form.length - a.form.length)
    .reduce(
      (left, { name, form }) =>
        left === form || form.length >= SHORTEST_SECRET ? left.replaceAll(form, () => `[secret ${name}]`) : left,
      text,
    );

/** How a secret, or a text of one that is an object or a list, may stand in an argument. */
function formsOf(secret: string): readonly string[] {
  const parts = [secret, ...textsIn(secret)].flatMap((part) => [part, part.trim()]).filter((part) => part !== "");
  const inJson = (part: string) => JSON.stringify(part).slice(1, -1);
  const inUrl = (part: string) => encodeURIComponent(part.replaceAll(/\p{Surrogate}/gu, "\ufffd"));
  const written = parts.flatMap((part) => [part, inJson(part), inUrl(part)]);
  const doubled = (part: string) => part.replaceAll(/[{}]/g, "$&$&"); // as braces are in a step's argument
  return [...new Set(written.flatMap((part) => [part, doubled(part)]))];
}

/** Texts and numbers within a setting that is an object or a list. */
function textsIn(secret: string): readonly string[] {
  if (!/^\s*[{[]/.test(secret)) return [];
  const leaves = (value: unknown): readonly string[] =>
    typeof value === "object" && value !== null
      ? Object.values(value).flatMap(leaves)
      : ["string", "number"].includes(typeof value)
        ? [String(value)]
        : [];
  try {
    return leaves(JSON.parse(secret));
  } catch {
    return [];
  }
}

/** What of a job's steps differs, each difference as a few words: `step "train": arguments, train.py`. */
export function stepDifferences(before: RunOrigin["steps"], after: RunOrigin["steps"]): readonly string[] {
  const named = new Map(before.map((step) => [step.name, step]));
  const told = after.flatMap((step) => {
    const old = named.get(step.name);
    if (!old) return [`step ${JSON.stringify(step.name)} is new`];
    const names = new Set([...Object.keys(old.files), ...Object.keys(step.files)]);
    const parts = [
      ...(JSON.stringify(old.arguments) === JSON.stringify(step.arguments) ? [] : ["arguments"]),
      ...[...names].filter((name) => old.files[name] !== step.files[name]),
    ];
    return parts.length > 0 ? [`step ${JSON.stringify(step.name)}: ${parts.join(", ")}`] : [];
  });
  const kept = new Set(after.map((step) => step.name));
  const gone = before.filter(({ name }) => !kept.has(name)).map(({ name }) => `step ${JSON.stringify(name)} is gone`);
  return [...told, ...gone];
}
