/** The kinds of places that a lake may be in, each with a real service or what stands in for it. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { CreateBucketCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { storageClient } from "../../clients/google.ts";
import { FolderStore } from "../../clients/lake/folder.ts";
import { GcsStore } from "../../clients/lake/gcs.ts";
import { S3Store } from "../../clients/lake/s3.ts";
import { SshStore } from "../../clients/lake/ssh.ts";
import type { LakeStore } from "../../clients/lake/store.ts";
import { startStorage } from "../google/storage.ts";
import { startMoto } from "../moto.ts";

/** Where lakes are side by side. */
export interface Place {
  /** The lake of a name; without one, all that is there. */
  lake(name?: string): LakeStore;
  put(lake: string, key: string, content: string): Promise<void>;
  close(): void;
}

export interface Kind {
  readonly tags: readonly string[];
  start(): Promise<Place>;
}

const BUCKET = "a-bucket";

const inFolder = (make: (folder: string) => LakeStore, close = () => {}): Place => {
  const root = mkdtempSync(join(tmpdir(), "oneoff it's a lake-"));
  return {
    lake: (name = "") => make(join(root, name)),
    async put(lake, key, content) {
      const file = join(root, lake, key);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, content);
    },
    close() {
      rmSync(root, { recursive: true });
      close();
    },
  };
};

const SSH = `#!/bin/sh
for command; do :; done
echo x >> "$0.log"
exec sh -c "$command"
`;

const bin = join(tmpdir(), `oneoff-ssh-${process.pid}`);

/** How often somebody connected to the machine that is reached by ssh. */
export const connections = (): number => readFileSync(join(bin, "ssh.log"), "utf8").split("\n").length - 1;

/** Puts a program in the place of `ssh`, or of one that is run by it, while something is done. */
export async function instead(name: string, lines: string, work: () => Promise<void>): Promise<void> {
  writeFileSync(join(bin, name), `#!/bin/sh\n${lines}\n`, { mode: 0o755 });
  await work().finally(() => rmSync(join(bin, name)));
  writeFileSync(join(bin, "ssh"), SSH, { mode: 0o755 });
}

async function startSsh(): Promise<Place> {
  const { PATH = "" } = process.env;
  mkdirSync(bin, { recursive: true });
  writeFileSync(join(bin, "ssh"), SSH, { mode: 0o755 });
  process.env.PATH = [bin, PATH].join(delimiter);
  const machine = { address: "ssh://me@machine", options: [] };
  return inFolder(
    (folder) => new SshStore(machine, folder),
    () => {
      process.env.PATH = PATH;
      rmSync(bin, { recursive: true });
    },
  );
}

async function startS3(): Promise<Place> {
  const moto = await startMoto();
  const connect = () => new S3Client({ region: "us-west-2", forcePathStyle: true });
  const s3 = connect();
  const CreateBucketConfiguration = { LocationConstraint: "us-west-2" } as const;
  await s3.send(new CreateBucketCommand({ Bucket: BUCKET, CreateBucketConfiguration }));
  return {
    lake: (name) => new S3Store(addressOf("s3", name), connect()),
    async put(lake, key, content) {
      await s3.send(new PutObjectCommand({ Bucket: BUCKET, Key: `${lake}/${key}`, Body: Buffer.from(content) }));
    },
    close() {
      s3.destroy();
      moto.close();
    },
  };
}

async function startGcs(): Promise<Place> {
  const storage = await startStorage();
  Object.assign(process.env, storage.env);
  await storage.makeBucket(BUCKET);
  return {
    lake: (name) => new GcsStore(addressOf("gs", name), storageClient("test-project")),
    put: (lake, key, content) => storage.put(BUCKET, `${lake}/${key}`, content),
    close: () => storage.close(),
  };
}

const addressOf = (scheme: string, name: string | undefined) => `${scheme}://${BUCKET}${name ? `/${name}` : ""}`;

export const KINDS: Readonly<Record<"S3" | "GCS" | "folder" | "ssh", Kind>> = {
  S3: { tags: [], start: startS3 },
  GCS: { tags: ["go"], start: startGcs },
  folder: { tags: [], start: async () => inFolder((folder) => new FolderStore(folder)) },
  ssh: { tags: [], start: startSsh },
};
