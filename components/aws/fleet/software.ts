import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import { stagerActions } from "../../../assets/fleet-stager/actions.ts";
import type { Contents, Staged, Staging } from "../../../assets/fleet-stager/event.ts";
import { arg, invalid, quote, refusal, UsageError } from "../../../core/errors.ts";
import type { Job } from "../../../core/job.ts";
import { manifestKey, Prefix, softwareKey } from "../../../core/lake-layout.ts";
import { NodeRole } from "../../../core/node-role.ts";
import type { SparkStep } from "../../../core/step.ts";
import { stackId, stackTags } from "../../common/naming.ts";
import { ASSETS } from "../../common/node-code.ts";
import { lambdaFunction } from "../function.ts";
import type { Statement } from "../iam.ts";
import type { S3Lake } from "../lake.ts";
import { APP_REQUIREMENTS, appFiles } from "./app.ts";
import { YARN_JARS, yarnFiles } from "./sharing.ts";

const FLEET = join(ASSETS, "fleet");
const HDFS = join(ASSETS, "images/hdfs");
const SPARK = join(ASSETS, "images/spark");
const LOADER = "software.py";
const JUPYTER = join(ASSETS, "nodes/emr/jupyter/requirements.txt");
const PYPI = "https://pypi.org/simple";
const MAVEN = "https://repo1.maven.org/maven2";
/** Name of the manifest that nodes install when they start, but for those of roles that have more. */
const NODES = "nodes";

export interface FleetSoftwareArgs {
  /** Where it is put, and all that nodes reach of the world. */
  readonly lake: S3Lake;
  /** Whose steps' `requirements` are put there too. @default the lake's */
  readonly job?: Job;
  /** Whether nodes have HDFS. @default true */
  readonly hdfs?: boolean;
  /** Whether nodes have JupyterLab. @default true */
  readonly notebook?: boolean;
  /** Whether the head has what scores flows. @default false */
  readonly app?: boolean;
  /** Whether head and workers have YARN. @default false */
  readonly yarn?: boolean;
  /** Files of our own beside those of {@link fleetScripts}: path below /opt/oneoff/scripts, and the file. @default none */
  readonly scripts?: Readonly<Record<string, string>>;
  /** Where wheels come from, a simple index. @default "https://pypi.org/simple" */
  readonly packageIndex?: string;
  /** Where jars come from, a Maven repository. @default "https://repo1.maven.org/maven2" */
  readonly maven?: string;
}

/** What a fleet's nodes install, as it lies in the lake. */
export interface FleetSoftware {
  /** Digest of the manifest, for `software.py install --manifest`. It is known when all that it names is in the lake. */
  readonly manifest: pulumi.Output<string>;
  /** Those of roles that have more, or the same: what is turned on for some changes nothing for the others. */
  readonly manifests: Readonly<Record<NodeRole, pulumi.Output<string>>>;
  /** Where the manifest lies in the lake: `_software/manifests/<digest>.json`. */
  readonly manifestKey: pulumi.Output<string>;
  /**
   * What `ONEOFF_REQUIREMENTS` is for a step, so that run-python is a Python with its packages: a digest, or "" where it has none.
   * Nodes that are there already find it in the lake.
   */
  readonly requirements: (step: SparkStep) => pulumi.Output<string>;
  /** assets/fleet/software.py in the lake, which a node fetches by itself and runs when it has this SHA-256. */
  readonly loader: { readonly key: string; readonly sha256: string };
  /** What a node's role must be allowed, to read all of it. */
  readonly statements: readonly Statement[];
  /** What must be there before a node installs anything. */
  readonly parts: readonly pulumi.Resource[];
}

/**
 * Puts what a fleet's nodes install into the lake, by hash: files of our own, Hadoop's jars, PySpark and JupyterLab, and what the job
 * requires. A function does the latter, from Maven Central and PyPI: nodes have no way to the internet (ADR 18).
 *
 * @throws UsageError when a file isn't there, and for an address that is none or holds credentials.
 */
export function fleetSoftware(name: string, args: FleetSoftwareArgs, parent: pulumi.Resource): FleetSoftware {
  const { lake, job = lake.job, hdfs = true, notebook = true, packageIndex = PYPI, maven = MAVEN } = args;
  checkSources(args);
  const uploads = new Map<string, Upload>();
  /** Key of a file, which is uploaded. */
  const key = (path: string, logical: string): string => {
    const at = softwareKey(digestOf(path), basename(path));
    if (!uploads.has(at)) uploads.set(at, { path, logical });
    return at;
  };
  const keys = (files: Readonly<Record<string, string>>) =>
    Object.fromEntries(Object.entries(files).map(([to, path]) => [to, key(path, to.replaceAll("/", "-"))]));
  const nodes: Record<string, Contents> = {
    scripts: { files: keys({ ...fleetScripts(), ...args.scripts }) },
    python: { requirements: key(join(FLEET, "requirements.txt"), "requirements-python"), sources: true },
    ...(hdfs && { hadoop: { jars: key(join(HDFS, "jars.txt"), "jars-hadoop") } }),
    ...(notebook && { jupyter: { requirements: key(JUPYTER, "requirements-jupyter") } }),
  };
  const scoring = args.app && {
    scoring: { files: keys(appFiles()), requirements: key(APP_REQUIREMENTS, "requirements-scoring") },
  };
  const yarn = args.yarn && { yarn: { files: keys(yarnFiles()), jars: key(YARN_JARS, "jars-yarn") } };
  const venvs = new Map<string, string>();
  for (const step of job.steps) {
    if (step.requirements) venvs.set(step.requirements, key(step.requirements, `requirements-step-${step.name}`));
  }
  const manifests: Staging["manifests"] = {
    [NODES]: nodes,
    ...Object.fromEntries([...venvs.values()].map((requirements) => [requirements, { venv: { requirements } }])),
  };
  const uploaded = uploadFiles(name, uploads, lake, parent);
  const stager = lambdaFunction(
    `${name}-stager`,
    {
      code: "fleet-stager",
      about: `Puts what nodes of stack ${stackId()} install into its lake`,
      environment: {},
      memoryMebibytes: 1792, // a whole processor
      timeoutSeconds: 900,
      statements: stagerStatements(lake.bucketArn),
    },
    parent,
  );
  // One that is replaced has put nothing there that would have to go: an update that fails would leave its new input in the state.
  const stage = (what: string, manifests: Staging["manifests"], ...needs: readonly pulumi.Resource[]) => {
    const staging: Omit<Staging, "bucket"> = { packageIndex, maven, manifests };
    return new aws.lambda.Invocation(
      `${name}-${what}`,
      {
        functionName: stager.function.name,
        lifecycleScope: "CREATE_ONLY",
        input: pulumi.jsonStringify({ bucket: lake.bucket, ...staging }),
      },
      { parent, dependsOn: [...stager.parts, ...uploaded, lake, ...needs], replaceOnChanges: ["input"] },
    );
  };
  const digest = ({ result }: aws.lambda.Invocation, of: string) =>
    result.apply((result) => (JSON.parse(result) as Staged).manifests[of] as string);
  const staged = stage("staged", manifests);
  const manifest = digest(staged, NODES);
  // Of its own, so that even a preview sees that the others' stays; and after the other, which most of it is part of.
  const more = (role: NodeRole, parts: Readonly<Record<string, Contents>>) =>
    Object.keys(parts).length === 0 ? undefined : stage(`staged-${role}`, { [role]: { ...nodes, ...parts } }, staged);
  const head = more(NodeRole.head, { ...scoring, ...yarn });
  const worker = more(NodeRole.worker, { ...yarn });
  const loader = key(join(FLEET, LOADER), LOADER);
  return {
    manifest,
    manifests: {
      [NodeRole.head]: head ? digest(head, NodeRole.head) : manifest,
      [NodeRole.data]: manifest,
      [NodeRole.worker]: worker ? digest(worker, NodeRole.worker) : manifest,
    },
    manifestKey: manifest.apply(manifestKey),
    requirements: ({ requirements }) =>
      requirements === undefined ? pulumi.output("") : digest(staged, venvs.get(requirements) as string),
    loader: { key: loader, sha256: loader.split("/")[1] as string },
    statements: lake.statements.read([Prefix.software]),
    parts: [staged, ...(head ? [head] : []), ...(worker ? [worker] : [])],
  };
}

/** Files of our own that nodes have: path below /opt/oneoff/scripts, and the file. */
export const fleetScripts = (): Readonly<Record<string, string>> => ({
  ...filesIn("fleet", FLEET, /\.(py|conf)$|^(notebook|run-python|submit)$/),
  "fleet/oneoff.py": join(ASSETS, "jobs/oneoff.py"),
  "notebooks/fleet.ipynb": join(ASSETS, "notebooks/fleet.ipynb"),
  "notebooks/gpu.ipynb": join(ASSETS, "notebooks/gpu.ipynb"),
  ...filesIn("hdfs", HDFS, /^(entrypoint|healthy|java-options)$/),
  ...filesIn("hdfs/conf", join(HDFS, "conf"), /\.(xml|properties)$/),
  ...filesIn("spark", SPARK, /^(entrypoint|healthy|gpus|spark-defaults\.conf|jupyter_server_config\.py)$/),
});

const filesIn = (to: string, folder: string, which: RegExp): Readonly<Record<string, string>> =>
  Object.fromEntries(
    readdirSync(folder)
      .filter((file) => which.test(file))
      .sort()
      .map((file) => [`${to}/${file}`, join(folder, file)]),
  );

/** What the stager may do, as statements of its role's policy. */
export const stagerStatements = (bucketArn: pulumi.Input<string>): readonly Statement[] => [
  { Action: stagerActions.objects, Resource: pulumi.interpolate`${bucketArn}/${Prefix.software}/*` },
  { Action: stagerActions.bucket, Resource: bucketArn },
];

interface Upload {
  readonly path: string;
  /** For the resource's name. */
  readonly logical: string;
}

/** They stay for nodes that start with an earlier manifest, also when there are newer ones, and go with the bucket. */
const uploadFiles = (name: string, uploads: ReadonlyMap<string, Upload>, lake: S3Lake, parent: pulumi.Resource) =>
  [...uploads].map(
    ([key, { path, logical }]) =>
      new aws.s3.BucketObjectv2(
        `${name}-${logical}`,
        { bucket: lake.bucket, key, source: new pulumi.asset.FileAsset(path), tags: stackTags() },
        { parent, retainOnDelete: true },
      ),
  );

/** @throws UsageError for an address that is none or holds credentials. */
export function checkSources({ packageIndex, maven }: Pick<FleetSoftwareArgs, "packageIndex" | "maven">): void {
  checkAddress("packageIndex", packageIndex ?? PYPI, PYPI);
  checkAddress("maven", maven ?? MAVEN, MAVEN);
}

function checkAddress(argument: string, address: string, such: string): void {
  const url = URL.parse(address);
  if (url?.username || url?.password) {
    throw refusal`${arg(argument)} holds credentials, which would be kept in plain state: give one that needs none`;
  }
  if (!/^https?:$/.test(url?.protocol ?? "")) {
    throw invalid(argument, address, `expected an address such as ${quote(such)}`);
  }
}

/** SHA-256 of a file, hexadecimal. */
function digestOf(path: string): string {
  if (!existsSync(path)) throw new UsageError(`${quote(path)} is not there`);
  return createHash("sha256").update(readFileSync(path)).digest("hex");
}
