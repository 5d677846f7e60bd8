/** Everything that runs elsewhere, once: what bundling, building, locking and the package's test know of it. */
import { globSync } from "node:fs";
import { join } from "node:path/posix";

/** One folder below assets/. Paths and patterns are relative to it. */
export interface Deployable {
  /** Module that is bundled with all that it imports: `<bundles>/<name>/index.mjs`. @default none */
  readonly entry?: string;
  /** Files that the package has as they are: patterns. @default none */
  readonly carried?: readonly string[];
  /** Folders with a requirements.in, which is locked for Python 3.11. @default none */
  readonly requirements?: readonly string[];
  /** Whether it has a jars.in to be locked. @default false */
  readonly jars?: boolean;
}

const manifest = {
  dashboard: { entry: "server.ts", carried: ["instance/*/*.{sh,mjs,service,timer}", "panels/*.py"] },
  "dataproc-orchestrator": { entry: "index.ts", carried: ["boot.mjs"] },
  driver: { carried: ["*.py"] },
  "emr-launcher": { entry: "index.ts" },
  fleet: { carried: ["*.{py,conf,sh}", "notebook", "run-python", "submit", "requirements.txt"], requirements: ["."] },
  "fleet-members": { entry: "index.ts" },
  "fleet-stager": { entry: "index.ts" },
  "images/dashboard": { requirements: ["."] }, // its context is made of the dashboard: engine/bundles.ts
  "images/hdfs": { carried: ["**/*"], jars: true },
  "images/kafka": { carried: ["**/*"], jars: true },
  "images/spark": { carried: ["**/*"], requirements: ["."], jars: true },
  "jobs/failures": { carried: ["*.py", "requirements.txt"], requirements: ["."] },
  "jobs/london-power": { carried: ["*.py", "requirements.txt"], requirements: ["."] },
  "jobs/nids": { carried: ["*.py", "**/requirements.txt"], requirements: [".", "torch", "torch-cpu"] },
  "jobs/streaming-regression": { carried: ["*.py", "requirements.txt"], requirements: ["."] },
  "jobs/xo": { carried: ["*.py", "requirements.txt"], requirements: ["."] },
  jobs: { carried: ["*.py"] },
  "nodes/dataproc": { carried: ["*.{py,sh}"] },
  "nodes/emr": { carried: ["**/*.{py,sh}", "**/requirements.txt"], requirements: [".", "jupyter"] },
  notebooks: { carried: ["*.ipynb"] },
  reaper: { entry: "index.ts" },
  scoring: { carried: ["*.py", "page/*", "**/requirements.txt"], requirements: [".", "kafka"] },
  steps: { carried: ["*.{py,sh}"] },
  yarn: { carried: ["**/*"], jars: true },
} as const satisfies Record<string, Deployable>;

type Manifest = typeof manifest;

/** Deployables by their folder. */
export const MANIFEST: Readonly<Record<string, Deployable>> = manifest;

/** What engine/bundles.ts builds: every deployable with an entry, and the context of the dashboard's image. */
export type BundleName =
  | { [Name in keyof Manifest]: Manifest[Name] extends { readonly entry: string } ? Name : never }[keyof Manifest]
  | "dashboard-image";

/** Files that the package has as they are, paths relative to the root. What only a lock is made from stays out. */
export const carriedFiles = (root: string): readonly string[] =>
  Object.entries(MANIFEST).flatMap(([name, { carried = [] }]) =>
    globSync([...carried], { cwd: join(root, "assets", name), withFileTypes: true })
      .filter((entry) => entry.isFile() && !/\.in$|\.pyc$/.test(entry.name))
      .map((entry) => join(entry.parentPath, entry.name).slice(join(root, "/").length))
      .sort(),
  );
