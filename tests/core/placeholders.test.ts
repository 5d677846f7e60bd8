import { describe, expect, test } from "vitest";
import { nearest } from "../../core/nearest.ts";
import { fill, hasStrayBrace, placeholders } from "../../core/placeholders.ts";

describe("placeholders", () => {
  test.each<[string, readonly string[], string]>([
    ["{points}", ["points"], "<points>"],
    ["--run={run}/{secret:token}", ["run", "secret:token"], "--run=<run>/<secret:token>"],
    ['{{"to": "{points}"}}', ["points"], '{"to": "<points>"}'],
    ['{{"in": {{"to": {points}}}}}', ["points"], '{"in": {"to": <points>}}'],
    ["{{points}}", [], "{points}"],
    ["{{{points}}}", ["points"], "{<points>}"],
    ["x{{y", [], "x{y"],
    ["", [], ""],
  ])("of %s are %j, and filled in it is %s", (text, names, filled) => {
    expect(placeholders(text)).toEqual(names);
    expect(fill(text, (name) => `<${name}>`)).toBe(filled);
    expect(hasStrayBrace(text)).toBe(false);
  });

  test.each(["{", "x}", '{"a": "{points}"}', "{{x}", "{x}}"])("%s has a brace that stands for itself", (text) => {
    expect(hasStrayBrace(text)).toBe(true);
  });
});

test.each<[string, string | undefined]>([
  ["tabels", "tables"],
  ["Tables", "tables"],
  ["tabls", "tables"],
  ["stepz", "steps"],
  ["namedThings", "name"],
  ["cluster", undefined],
  ["x", undefined],
  ["", undefined],
])("the name that is nearest to %s is %s", (given, name) => {
  expect(nearest(given, ["name", "steps", "tables"])).toBe(name);
});
