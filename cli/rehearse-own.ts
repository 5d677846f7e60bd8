/**
 * A program of the user's own, rehearsed: Pulumi's own runner runs it as in a preview, whatever kind of module it is, and what
 * answers it is Pulumi's mocks in the place of an engine.
 */
import { spawn } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import { MockMonitor } from "@pulumi/pulumi/runtime/mocks.js";
import { deserializeProperties } from "@pulumi/pulumi/runtime/rpc.js";
import { type BillLine, ceiling } from "../core/bill.ts";
import { quote, UsageError } from "../core/errors.ts";
import { projectFolder } from "../engine/backend.ts";
import { projectProgram, type StackFiles } from "./config.ts";
import type { RehearsedResource } from "./platform.ts";
import { platforms } from "./registry.ts";
import { mocks, type Rehearsal } from "./rehearse.ts";

const STACK = "pulumi:pulumi:Stack";
/** What Pulumi's mocks would say they know, and a server of theirs doesn't. */
const UNKNOWN_FEATURES = ["outputValues", "transforms", "invokeTransforms"];
const ERROR = 3;

/** The runner, and what it speaks: Pulumi's types leave them out. */
const sdk = createRequire(createRequire(import.meta.url).resolve("@pulumi/pulumi/package.json"));
const grpc = sdk("@grpc/grpc-js");
const { Empty } = sdk("google-protobuf/google/protobuf/empty_pb.js");
const resources = sdk("./proto/resource_pb.js");
const engine = sdk("./proto/engine_pb.js");
const { ResourceMonitorService } = sdk("./proto/resource_grpc_pb.js");
const { EngineService } = sdk("./proto/engine_grpc_pb.js");

// biome-ignore lint/suspicious/noExplicitAny: messages of gRPC, of which Pulumi has no types
type Message = any;
type Respond = (error: Error | null, response?: Message) => void;
type Call = { readonly request: Message };

/** What a program asked for and said until it ended. */
interface Heard {
  readonly resources: RehearsedResource[];
  readonly errors: string[];
  outputs: Readonly<Record<string, unknown>>;
}

/** @throws UsageError with what the program refused. */
export async function rehearseOwn(files: StackFiles): Promise<Rehearsal> {
  const heard: Heard = { resources: [], errors: [], outputs: {} };
  const rehearsed = platforms.map(({ provider, rehearsal }) => ({ provider, ...rehearsal?.(files.config) }));
  const server = new grpc.Server();
  server.addService(ResourceMonitorService, monitor(new MockMonitor(mocks(heard.resources, rehearsed)), heard));
  server.addService(EngineService, log(heard));
  try {
    const port = await listen(server);
    const config = { ...Object.assign({}, ...rehearsed.map((platform) => platform.config)), ...files.config };
    const { code, printed } = await runProgram(files, config, `127.0.0.1:${port}`);
    if (code !== 0) throw new UsageError(refusalOf(heard.errors[0] ?? printed));
  } finally {
    server.forceShutdown();
  }
  const bill = Array.isArray(heard.outputs.bill) ? (heard.outputs.bill as readonly BillLine[]) : [];
  return { bill, ceiling: ceiling(bill), resources: heard.resources.filter(({ type }) => type !== STACK) };
}

const listen = (server: Message): Promise<number> =>
  new Promise((resolve, reject) =>
    server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error: Error | null, port: number) =>
      error ? reject(error) : resolve(port),
    ),
  );

/** The mocks' answers, by gRPC. What they don't answer, gRPC does: it isn't implemented, with which the runner can live. */
function monitor(mock: MockMonitor, heard: Heard) {
  const pass =
    (name: "invoke" | "readResource" | "registerPackage" | "registerResource") =>
    ({ request }: Call, respond: Respond) =>
      mock[name](request, respond);
  return {
    invoke: pass("invoke"),
    readResource: pass("readResource"),
    registerPackage: pass("registerPackage"),
    registerResource: pass("registerResource"),
    supportsFeature: ({ request }: Call, respond: Respond) =>
      respond(null, new resources.SupportsFeatureResponse().setHassupport(!UNKNOWN_FEATURES.includes(request.getId()))),
    registerResourceOutputs({ request }: Call, respond: Respond) {
      if (request.getUrn().includes(`::${STACK}::`)) heard.outputs = deserializeProperties(request.getOutputs());
      respond(null, new Empty());
    },
    signalAndWaitForShutdown: (_: Call, respond: Respond) => respond(null, new Empty()),
  };
}

/** The part of the engine that the runner tells what is printed. */
const log = ({ errors }: Heard) => ({
  log({ request }: Call, respond: Respond) {
    if (request.getSeverity() === ERROR) errors.push(request.getMessage());
    respond(null, new Empty());
  },
  getRootResource: (_: Call, respond: Respond) => respond(null, new engine.GetRootResourceResponse()),
  setRootResource: (_: Call, respond: Respond) => respond(null, new engine.SetRootResourceResponse()),
  requirePulumiVersion: (_: Call, respond: Respond) => respond(null, new engine.RequirePulumiVersionResponse()),
});

/** Runs the program as Pulumi's language host does, to its end. */
function runProgram(
  { project, stack, secret }: StackFiles,
  config: Readonly<Record<string, string>>,
  address: string,
): Promise<{ readonly code: number | null; readonly printed: string }> {
  const root = projectFolder();
  const { entry, typescript } = projectProgram();
  const isFolder = existsSync(entry) && statSync(entry).isDirectory();
  const flags = {
    ...{ monitor: address, engine: address, project, stack, "root-directory": root },
    ...{ pwd: isFolder ? entry : dirname(entry), parallel: "1" },
  };
  const args = Object.entries(flags).flatMap(([name, value]) => [`--${name}`, value]);
  const env = {
    ...process.env,
    // What a secret says makes no difference to what is asked for.
    PULUMI_CONFIG: JSON.stringify({ ...Object.fromEntries(secret.map((key) => [key, "secret"])), ...config }),
    PULUMI_CONFIG_SECRET_KEYS: JSON.stringify(secret),
    PULUMI_NODEJS_TYPESCRIPT: String(typescript),
  };
  const own = join(root, "node_modules/.bin/node"); // it may be newer than the one that runs this
  const child = spawn(
    existsSync(own) ? own : process.execPath,
    [sdk.resolve("./cmd/run/index.js"), ...args, "--dry-run", isFolder ? "." : basename(entry)],
    { cwd: root, env, stdio: ["ignore", "ignore", "pipe"] },
  );
  let printed = "";
  child.stderr.on("data", (data) => (printed += data));
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, printed }));
  });
}

/** What a program refuses for a reason of its own is told as it is; what it fell over, without where in Pulumi. */
function refusalOf(told: string): string {
  const [, folder] = /failed to locate the entry point for your program: (.*)/.exec(told) ?? [];
  if (folder !== undefined) return `there is no program in ${folder}: have "main" in Pulumi.yaml name its file`;
  const [, first = told] =
    /^Running program '.*' failed with an unhandled exception:\s*(?:<ref \*\d+> )?(.*)/.exec(told) ?? [];
  return first.trim() || `the program ended without a word: ${quote(told)}`;
}
