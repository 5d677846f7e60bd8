import * as pulumi from "@pulumi/pulumi";
import { setAllConfig } from "@pulumi/pulumi/runtime/config.js";
import { afterEach, expect, test } from "vitest";
import { z } from "zod";
import { noteSettings, runOrigin } from "../../components/common/run-origin.ts";
import { settingsOf, stackProgram } from "../../components/common/stack.ts";
import { RunRecord } from "../../core/run.ts";
import type { RunOrigin } from "../../core/run-origin.ts";

afterEach(() => {
  setAllConfig({}, []);
  noteSettings({});
});

const Recorded = RunRecord.out.shape.origin.unwrap().strict();
const originOf = (): Promise<RunOrigin> =>
  new Promise((resolve) => runOrigin({ steps: [] }).apply((origin) => resolve(Recorded.parse(origin) as RunOrigin)));

test("the settings of a run are those of the stack, defaults among them, and of secret ones the name", async () => {
  await pulumi.runtime.setMocks({ newResource: () => ({ id: "", state: {} }), call: () => ({}) }, "mine", "test");
  const config = {
    "oneoff:rows": "7",
    "oneoff:runId": "9",
    "oneoff:note": "by hunter2",
    "oneoff:token": "hunter2",
    "mine:more": "x",
    "aws:region": "us-west-2",
    "aws:secretKey": "AKIA",
  };
  setAllConfig(config, ["oneoff:token"]);
  const text = () => z.string().optional();
  const settings = z.object({
    rows: z.string(),
    seeds: z.number().default(3),
    hidden: z.array(z.number()).default([5, 10]),
    runId: z.string(),
    note: text(),
    token: text(),
    unset: text(),
  });
  settingsOf(stackProgram({ about: "", rents: false, settings: () => settings, run: () => ({}) }), config);
  const { settings: recorded, version } = await originOf();
  expect(recorded).toEqual({
    "mine:more": "x",
    "oneoff:hidden": "5,10",
    "oneoff:note": "by [secret oneoff:token]",
    "oneoff:rows": "7",
    "oneoff:seeds": "3",
    "oneoff:token": null,
  });
  expect(version).toMatch(/^\d+\.\d+\.\d+/);
});
