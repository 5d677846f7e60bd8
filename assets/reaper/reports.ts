/** What a fleet's machines and the reaper itself leave in its lake. Whoever is on a machine may have written what is read here. */
import {
  DeleteObjectsCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type S3Client,
} from "@aws-sdk/client-s3";
import { z } from "zod";
import { FleetPower, type fleetKeys, NodeReport, ReaperReport } from "../../core/fleet-lake.ts";
import { NodeRole } from "../../core/node-role.ts";

/** A fleet's place in its lake. */
export interface FleetLake {
  readonly s3: S3Client;
  readonly bucket: string;
  readonly keys: ReturnType<typeof fleetKeys>;
  /** Until when to wait for answers. */
  readonly abortSignal: AbortSignal;
}

const MOST_BYTES = 256 * 1024;
const MOST_BYTES_OF_ALL = 4 * 1024 * 1024;
const MOST_REPORTS = 1000; // what one page has
const AT_ONCE = 8;

const MOST_REASONS = 5;
const MOST_LETTERS = 200;

/** What is looked at of a report, and kept; the rest may be as another version has it. */
const Read = NodeReport.pick({ node: true, role: true, reported: true, state: true }).extend({
  rests: z.boolean().optional().catch(undefined),
  instance: z.string().max(100),
  problem: NodeReport.shape.problem.transform((problem) => problem && shown(problem)),
  idle: NodeReport.shape.idle.transform((idle) => idle && { ...idle, reasons: fewer(idle.reasons) }),
});

const fewer = (reasons: readonly string[]): readonly string[] =>
  reasons.length > MOST_REASONS
    ? [...reasons.slice(0, MOST_REASONS).map(shown), `${reasons.length - MOST_REASONS} more`]
    : reasons.map(shown);

/** What others wrote, as it may stand in a line. */
export function shown(text: string): string {
  const letters = [
    ...text
      .slice(0, 4 * MOST_LETTERS)
      .replaceAll(/[\p{C}\p{Z}]+/gu, " ")
      .trim(),
  ];
  return letters.length > MOST_LETTERS ? `${letters.slice(0, MOST_LETTERS - 1).join("")}…` : letters.join("");
}

/** A machine's report, or why it can't be read. */
export type Seen = {
  readonly key: string;
  /** As its key says. */
  readonly node: string;
  /** When it was written, by the clock of S3. */
  readonly modified: Date;
} & ({ readonly report: z.infer<typeof Read> } | { readonly problem: string });

/** What the reaper said last: undefined where it said nothing yet. @throws for what can't be read. */
export const readLast = (lake: FleetLake): Promise<ReaperReport | undefined> =>
  readAs(ReaperReport, lake, lake.keys.reaper);

/** Whether the fleet is to run: on where nobody said otherwise. @throws for what can't be read. */
export const readPower = async (lake: FleetLake): Promise<FleetPower> =>
  (await readAs(FleetPower, lake, lake.keys.power)) ?? { power: "on" };

async function readAs<T>(schema: z.ZodType<T>, lake: FleetLake, key: string): Promise<T | undefined> {
  const text = await read(lake, key);
  if (text === undefined) return undefined;
  try {
    return schema.parse(JSON.parse(text));
  } catch (error) {
    throw new Error(`${key} can't be read: ${explained(error)}`);
  }
}

export async function writeLast({ s3, bucket, keys, abortSignal }: FleetLake, report: ReaperReport): Promise<void> {
  const Body = `${JSON.stringify(report, undefined, 2)}\n`;
  const put = new PutObjectCommand({ Bucket: bucket, Key: keys.reaper, Body, ContentType: "application/json" });
  await s3.send(put, { abortSignal });
}

/** Of all nodes, also of those that are no more. */
export async function readReports(lake: FleetLake): Promise<readonly Seen[]> {
  const { s3, bucket, keys, abortSignal } = lake;
  const list = new ListObjectsV2Command({ Bucket: bucket, Prefix: keys.nodes, MaxKeys: MOST_REPORTS });
  const { Contents = [] } = await s3.send(list, { abortSignal });
  const seen: Seen[] = [];
  let left = MOST_BYTES_OF_ALL;
  const pending = Contents.filter(({ Key }) => Key?.endsWith(".json")).values();
  const readRest = async () => {
    for (const { Key: key = "", Size = 0, LastModified: modified = new Date(0) } of pending) {
      const node = key.slice(keys.nodes.length, -".json".length);
      const text = Size > MOST_BYTES ? tooLarge : Size > left ? tooLargeTogether : await readText(lake, key);
      if (text === undefined) continue;
      if (typeof text === "string") left -= text.length;
      seen.push({ key, node, modified, ...(typeof text === "string" ? parsed(text, node) : text) });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, readRest));
  return seen;
}

interface Problem {
  readonly problem: string;
}

const tooLarge: Problem = { problem: `it has more than ${MOST_BYTES / 1024} KiB` };
const tooLargeTogether: Problem = { problem: `all together have more than ${MOST_BYTES_OF_ALL / 1024 ** 2} MiB` };

async function readText(lake: FleetLake, key: string): Promise<string | Problem | undefined> {
  try {
    return await read(lake, key);
  } catch (error) {
    lake.abortSignal.throwIfAborted();
    return { problem: explained(error) };
  }
}

/** Whoever may write a key, machines of one role, speaks for machines of that role alone. */
function parsed(text: string, node: string): { readonly report: z.infer<typeof Read> } | Problem {
  try {
    const report = Read.parse(JSON.parse(text));
    const { node: claimed, role } = report;
    const isOwn = claimed === node && (role === NodeRole.head ? node === role : node.startsWith(`${role}-`));
    return isOwn ? { report } : { problem: `it is that of ${role} ${claimed}` };
  } catch (error) {
    return { problem: explained(error) };
  }
}

async function read({ s3, bucket, abortSignal }: FleetLake, key: string): Promise<string | undefined> {
  try {
    const get = new GetObjectCommand({ Bucket: bucket, Key: key, Range: `bytes=0-${MOST_BYTES}` });
    const { Body } = await s3.send(get, { abortSignal });
    const bytes = (await Body?.transformToByteArray()) ?? new Uint8Array();
    if (bytes.length > MOST_BYTES) throw new Error(tooLarge.problem);
    return new TextDecoder().decode(bytes);
  } catch (error) {
    if ((error as Error).name === "NoSuchKey") return undefined;
    if ((error as Error).name === "InvalidRange") throw new Error("it is empty");
    throw error;
  }
}

/** @throws when any of them stays. */
export async function deleteReports({ s3, bucket, abortSignal }: FleetLake, seen: readonly Seen[]): Promise<void> {
  if (seen.length === 0) return;
  const Delete = { Objects: seen.map(({ key }) => ({ Key: key })), Quiet: true };
  const { Errors = [] } = await s3.send(new DeleteObjectsCommand({ Bucket: bucket, Delete }), { abortSignal });
  const [first] = Errors;
  if (first) throw new Error(`${Errors.length} old reports can't be deleted: ${first.Key}: ${first.Message}`);
}

function explained(error: unknown): string {
  if (error instanceof z.ZodError) {
    const [issue] = error.issues;
    return `${issue?.path.join(".") || "it"}: ${issue?.message}`;
  }
  return error instanceof SyntaxError ? "it is no JSON" : String((error as Error).message ?? error);
}
