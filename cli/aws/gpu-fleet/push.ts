/** Data of the user's own into a fleet's HDFS: by way of the lake, as no tunnel carries a gigabyte well. */
import { createHash, randomBytes } from "node:crypto";
import { statSync } from "node:fs";
import { hostname } from "node:os";
import { basename, resolve } from "node:path";
import { S3Client } from "@aws-sdk/client-s3";
import { z } from "zod";
import type { LakeStore } from "../../../clients/lake/store.ts";
import { UsageError } from "../../../core/errors.ts";
import { fleetKeys } from "../../../core/fleet-lake.ts";
import { NodeRole } from "../../../core/node-role.ts";
import { projectFolder } from "../../../engine/backend.ts";
import type { Pushed, PushOptions } from "../../fleet.ts";
import { FleetAnswer, PushAnswer } from "../../fleet-answer.ts";
import { runScript } from "../../fleet-script.ts";
import { stopSignal } from "../../waiting.ts";
import { connect } from "../client.ts";
import type { FleetIdentity } from "./machines.ts";
import { type Asked, ask, checkHead, sweep } from "./requests.ts";
import type { SeenFleet } from "./seen.ts";
import { begunUpload, uploadFile } from "./upload.ts";

/** An archive, and the folder that it goes to. */
export interface PushArgs extends PushOptions, Pick<Asked, "pollMs"> {
  readonly source: string;
  readonly target: string;
  readonly partBytes?: number;
  /** @default Ctrl-C */
  readonly stop?: AbortSignal;
}

const TELL_MS = 2000;

/**
 * Nothing is uploaded before all of the archive was looked through here, by the script that the head has too.
 * @throws InterruptedError that tells what became of it, when it was stopped.
 */
export async function push(
  identity: FleetIdentity,
  lake: LakeStore,
  see: () => Promise<SeenFleet>,
  { source, target, overwrite, say, pollMs, partBytes, stop = stopSignal() }: PushArgs,
): Promise<Pushed> {
  const seen = await see();
  checkHead(seen);
  const found = await lookThrough(source, target, say);
  if (found) checkRoom(source, found.bytes, seen);
  const { fleet, bucket, region } = identity;
  const { size, mtimeMs } = statSync(source);
  const keys = fleetKeys(fleet);
  const ofFile = keys.upload(`push-${digest(hostname(), resolve(source))}-`);
  const ofState = `${ofFile}${digest(size, mtimeMs, target, overwrite)}-`;
  const s3 = connect(new S3Client({ region, maxAttempts: 4 }));
  await sweep(lake, fleet);
  // One that was asked for, and not waited for, is waited for now.
  let [key] = await lake.keys(ofState);
  if (key === undefined) {
    const begun = await begunUpload({ s3, bucket }, ofFile, ofState);
    key = begun?.key ?? `${ofState}${randomBytes(4).toString("hex")}`;
    const upload = { s3, bucket, file: source, size, progress: teller(size, say), stop };
    await uploadFile({ ...upload, ...(partBytes && { partBytes }) }, key, begun);
  }
  const asked = { lake, fleet, id: basename(key), say, stop, ...(pollMs !== undefined && { pollMs }) };
  const about = { archive: basename(source), folder: target, overwrite };
  // What the head has begun with, or may yet, it takes away itself.
  const result = await ask(asked, { command: "push", asked: new Date().toISOString(), ...about }).catch(
    async (error) => {
      const known = await Promise.all([keys.request(asked.id), keys.answer(asked.id)].map((key) => lake.keys(key)));
      if (known.flat().length === 0) await lake.remove(key as string);
      throw error;
    },
  );
  await lake.remove(key);
  return PushAnswer.parse(result);
}

const digest = (...parts: readonly unknown[]): string =>
  createHash("sha256").update(JSON.stringify(parts)).digest("hex").slice(0, 12);

/** Where there is no Python here, the head looks through it once it is there. */
async function lookThrough(source: string, target: string, say: (line: string) => void) {
  for (const python of [resolve(projectFolder(), process.env.ONEOFF_PYTHON ?? ".oneoff/venv/bin/python"), "python3"]) {
    try {
      return Checked.parse(JSON.parse(await runScript(python, "check_archive.py", [source, target])));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    }
  }
  say("There is no Python here to look through the archive: the fleet's head does, after the upload.");
  return undefined;
}

const Checked = z.object({ files: z.number(), bytes: z.number() });

/** One copy of each byte is the least; whether there is room for all copies the head knows. */
function checkRoom(source: string, bytes: number, { nodes }: SeenFleet): void {
  const head = nodes.find(({ role }) => role === NodeRole.head);
  const hdfs = FleetAnswer.safeParse(head?.fleet).data?.hdfs;
  if (!hdfs || bytes <= hdfs.capacity - hdfs.used) return;
  const gigabytes = (size: number) => `${(size / 1e9).toFixed(size < 1e8 ? 2 : 1)} GB`;
  throw new UsageError(
    `${source} holds ${gigabytes(bytes)}, and HDFS has room for ${gigabytes(Math.max(0, hdfs.capacity - hdfs.used))}: give it more data nodes or larger disks, or delete what is not needed any more`,
  );
}

/** Says how far it is, now and then. */
function teller(size: number, say: (line: string) => void): (bytes: number) => void {
  let last = 0;
  return (bytes) => {
    if (bytes < size && Date.now() - last < TELL_MS) return;
    last = Date.now();
    say(`upload: ${(bytes / 1e6).toFixed(0)} of ${(size / 1e6).toFixed(0)} MB`);
  };
}
