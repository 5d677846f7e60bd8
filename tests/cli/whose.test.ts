/** Whose a leftover is: for many pairs of stacks whose names run into each other, by what the library itself would call their things. */
import * as pulumi from "@pulumi/pulumi";
import { beforeAll, describe, expect, test } from "vitest";
import { ownerOf } from "../../cli/docker/leftovers.ts";
import { hasLabel, ownershipOf, ownText, type Sweep } from "../../cli/gcp/leftovers/sweep.ts";
import { claimOf, stackIn } from "../../cli/removal.ts";
import { physicalName, rolePath, stackId, stackLabels, stackTags } from "../../components/common/naming.ts";
import { labels } from "../../components/docker/files.ts";
import { ownedBy } from "../../components/gcp/project.ts";
import { dockerName, LABEL } from "../../core/docker-names.ts";
import { isSharedLabel, stackLabel } from "../../core/labels.ts";
import { Tag } from "../../core/tags.ts";

const long = (text: string, length: number) => text.repeat(length).slice(0, length);
const PROJECTS = [
  "a",
  "a-b",
  "a_b",
  "a.b",
  "A",
  "A-B",
  "a-b-c",
  "a-",
  "a_",
  "oneoff",
  "ONEOFF",
  long("x", 60),
  long("x-y.", 99),
];
const STACKS = [
  "c",
  "b-c",
  "b_c",
  "b.c",
  "B-C",
  "C",
  "-c",
  "_c",
  "c-",
  "b-c-d",
  long("x", 40),
  long("y", 41),
  long("y", 60),
];
const HEX = "0a1b2c3d";

/** All that a stack is called by, in one place or another. */
interface Named {
  readonly id: string;
  readonly project: string;
  readonly stack: string;
  readonly physical: string;
  readonly underscored: string;
  /** As an autoscaling policy is called. */
  readonly short: string;
  readonly text: string;
  readonly tag: string;
  readonly path: string;
  readonly label: Readonly<Record<string, string>>;
  readonly docker: Readonly<Record<string, string>>;
}

const known = <T>(output: pulumi.Output<T>): Promise<T> => new Promise((resolve) => output.apply(resolve));

async function named(project: string, stack: string): Promise<Named> {
  const mocks = { newResource: () => ({ id: "", state: {} }), call: () => ({}) };
  await pulumi.runtime.setMocks(mocks, project, stack);
  const physical = await known(physicalName("cluster", HEX));
  return {
    ...{ id: stackId(), project, stack, physical, path: rolePath(), text: ownedBy("cluster nodes") },
    underscored: await known(physicalName("cluster", HEX, "_")),
    short: `${physical.slice(0, -9).slice(0, 41).replace(/-+$/, "")}-${HEX}`,
    tag: stackTags()[Tag.stack] as string,
    label: stackLabels(),
    docker: Object.fromEntries(labels(dockerName(project, stack)).map(({ label, value }) => [label, value])),
  };
}

const all: Named[] = [];
beforeAll(async () => {
  for (const project of PROJECTS) for (const stack of STACKS) all.push(await named(project, stack));
});

/** What a search for a stack makes of another's things: "own" is removed, "unsure" told of. By kind of mark. */
function search(ours: Named, theirs: Named): Readonly<Record<string, string | undefined>> {
  const { project, stack, id } = ours;
  const sweep = { stack: id, label: stackLabel(id) } as Sweep;
  const text = ownText(sweep, theirs.text, () => "");
  const claim = claimOf(id, [], [54, 41]);
  return {
    tag: theirs.tag === id ? "own" : undefined,
    path: theirs.path.startsWith(`/oneoff/${id}/`) ? "own" : undefined,
    label: hasLabel({ labels: theirs.label }, sweep)
      ? (ownershipOf({ labels: theirs.label }, sweep).unsure ?? "own")
      : undefined,
    text: text && (text.unsure === undefined ? "own" : "unsure"),
    name: claim(theirs.physical),
    underscored: claim(theirs.underscored.replaceAll("_", "-")),
    short: claim(theirs.short),
    // As Docker's filter finds them.
    docker: theirs.docker[LABEL] === dockerName(project, stack) ? ownerOf(theirs.docker, ours) : undefined,
  };
}

describe("stacks whose names run into each other", () => {
  test("nothing of one is surely the other's, whatever it is found by", () => {
    let alike = 0;
    for (const ours of all) {
      for (const theirs of all) {
        if (ours === theirs) continue;
        const found = search(ours, theirs);
        alike += found.name === undefined ? 0 : 1;
        expect(Object.values(found), `${theirs.id} for ${ours.id}`).not.toContain("own");
      }
    }
    expect(alike).toBeGreaterThan(100); // else the names would prove nothing
  });

  test("each finds its own: by what says project and stack it is sure, and by a name it is told of", () => {
    for (const ours of all) {
      const isCut = ours.id.length >= 100;
      const label = isSharedLabel(ours.id) ? expect.stringContaining("underscores") : "own";
      expect(search(ours, ours), ours.id).toEqual({
        ...{ tag: "own", path: "own", label, docker: "own" },
        text: isCut ? "unsure" : "own",
        ...{ name: "unsure", underscored: "unsure", short: "unsure" },
      });
    }
  });

  test("what was made before there was a label for it may be another's in Docker", () => {
    const [ours] = all as [Named];
    expect(ownerOf({ [LABEL]: dockerName(ours.project, ours.stack) }, ours)).toBe("unsure");
  });
});

describe("a name", () => {
  const claim = claimOf("oneoff/emr-oneoff", ["oneoff/emr-oneoff-large", "other/emr-oneoff", "oneoff/emr-oneoff"]);
  test("that may be a stack's is told of, unless another that there is goes on where it ends", () => {
    const names = {
      "oneoff-emr-oneoff-cluster-0a1b2c3d": "unsure",
      "oneoff-emr-oneoff-my-cluster-0a1b2c3d": "unsure",
      "oneoff-emr-oneoff-large-cluster-0a1b2c3d": undefined,
      "oneoff-emr-oneoff-cluster": undefined,
      "oneoff-emr-oneoffs-cluster-0a1b2c3d": undefined,
      "other-emr-oneoff-cluster-0a1b2c3d": undefined,
    };
    expect(Object.fromEntries(Object.keys(names).map((name) => [name, claim(name)]))).toEqual(names);
  });

  test("is whose its owner says, even of one whose name goes on", () => {
    const name = "oneoff-emr-oneoff-large-cluster-0a1b2c3d";
    expect(claim(name, ["oneoff/emr-oneoff"])).toBe("own");
    expect(claim(name, ["oneoff/emr-oneoff-large"])).toBeUndefined();
    expect(claim(name, ["oneoff/emr-oneoff", "oneoff-emr/oneoff"])).toBe("unsure"); // nobody can tell
    expect(claim("somebody-else-0a1b2c3d", ["oneoff/emr-oneoff"])).toBeUndefined();
  });
});

test("a text says a stack only in full", () => {
  const texts = ["a/b c", "a/b", "a/bc d", " a/b", "a b/c", "https://a/b", undefined];
  expect(texts.map(stackIn)).toEqual(["a/b", "a/b", "a/bc", undefined, undefined, undefined, undefined]);
});
