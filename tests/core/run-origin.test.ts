import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { stepOrigins } from "../../components/common/run-origin.ts";
import { job } from "../../core/job.ts";
import { stepDifferences, withoutSecrets } from "../../core/run-origin.ts";

const folder = mkdtempSync(join(tmpdir(), "oneoff-origin-"));
afterAll(() => rmSync(folder, { recursive: true }));
const write = (name: string, text: string) => writeFileSync(join(folder, name), text);
write("count.py", "one");
write("words.py", "two");

const made = (token = "{secret:token}") =>
  job({
    name: "count",
    from: join(folder, "index.ts"),
    steps: [
      {
        name: "count",
        script: "count.py",
        arguments: ["--to={words}", token],
        pyFiles: ["words.py"],
        secrets: ["token"],
      },
    ],
    tables: [{ name: "words", about: "A word", columns: [{ name: "word", type: "string" }] }],
  });

test("what a step is made of is its arguments and the content of its own files", () => {
  const digest = (text: string) => createHash("sha256").update(text).digest("hex").slice(0, 16);
  expect(stepOrigins(made(), {})).toEqual([
    {
      name: "count",
      arguments: ["--to={words}", "{secret:token}"],
      files: { "count.py": digest("one"), "words.py": digest("two") },
    },
  ]);
});

test("a secret stands as its name, also within a text; a short one only where it is all of it", () => {
  const secrets = { "oneoff:token": "hunter2", "oneoff:pin": "12" };
  expect(withoutSecrets("--url=https://x:hunter2@host", secrets)).toBe("--url=https://x:[secret oneoff:token]@host");
  expect(withoutSecrets("12", secrets)).toBe("[secret oneoff:pin]");
  expect(withoutSecrets("--rows=12000", secrets)).toBe("--rows=12000");
  expect(JSON.stringify(stepOrigins(made("--token=hunter2"), secrets))).not.toContain("hunter2");
});

test.each([
  ["--password=hunter2", '{"user":{"password":"hunter2"},"ports":[1]}', "--password=[secret oneoff:db]"],
  ["--password=hunter2", "hunter2\n", "--password=[secret oneoff:db]"],
  ['{{"password":"p{{x}}q"}}', "p{x}q", '{{"password":"[secret oneoff:db]"}}'],
  ['"p\\"ss"', 'p"ss', '"[secret oneoff:db]"'],
  ["pg://me:p%40ss%2F1@host", "p@ss/1", "pg://me:[secret oneoff:db]@host"],
  ["--password=hunter2-long", "hunter2-long", "--password=[secret oneoff:db]"],
])("in %j no part of secret %j is left", (argument, secret, expected) => {
  expect(withoutSecrets(argument, { "oneoff:a": "hunt", "oneoff:db": secret })).toBe(expected);
});

test("what differs between steps is told in a few words each", () => {
  const before = stepOrigins(made(), {});
  expect(stepDifferences(before, stepOrigins(made(), {}))).toEqual([]);
  write("words.py", "three");
  const after = stepOrigins(made("--more"), {});
  expect(stepDifferences(before, after)).toEqual(['step "count": arguments, words.py']);
  const [step] = after;
  expect(stepDifferences(before, [{ ...step, name: "other" } as (typeof after)[number]])).toEqual([
    'step "other" is new',
    'step "count" is gone',
  ]);
});
