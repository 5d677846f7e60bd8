/** A Terraform provider's process, and the part of its protocol that makes, changes and removes resources. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import * as grpc from "@grpc/grpc-js";
import { decode, encode, type Value } from "./msgpack.ts";

const { loadSync } = createRequire(import.meta.url)("@grpc/proto-loader");
const PROTOCOL = fileURLToPath(new URL("provider/terraform.proto", import.meta.url));

export type TypeOf = string | readonly [kind: string, of: TypeOf | Readonly<Record<string, TypeOf>>];

export interface Attribute {
  readonly name: string;
  readonly type: TypeOf;
  readonly required: boolean;
  readonly optional: boolean;
  readonly computed: boolean;
  readonly sensitive: boolean;
}

export interface Nested {
  readonly type_name: string;
  readonly block: Block;
  readonly nesting: "SINGLE" | "LIST" | "SET" | "MAP" | "GROUP";
  readonly max_items: number;
}

export interface Block {
  readonly attributes: readonly Attribute[];
  readonly block_types: readonly Nested[];
}

/** Names of attributes and keys, and indexes; a set's members have none. */
export type Path = readonly (string | number)[];

export interface Problem {
  readonly path: Path;
  readonly message: string;
}

/** A resource as Terraform remembers it. */
export interface State {
  readonly value: Value;
  readonly private: Buffer;
}

export interface Plan extends State {
  readonly replaces: readonly Path[];
}

/** What came of a change; when it failed half-way, both. */
export interface Applied extends State {
  readonly problems: readonly Problem[];
}

export interface Terraform {
  readonly provider: Block;
  readonly resources: Readonly<Record<string, Block>>;
  configure(config: Value): Promise<void>;
  validate(type: string, config: Value): Promise<readonly Problem[]>;
  /** Takes up what was remembered: what came out of a change is not yet as the provider wants to see it again. */
  recall(type: string, remembered: Value): Promise<Value>;
  plan(type: string, prior: State, proposed: Value, config: Value): Promise<Plan>;
  apply(type: string, prior: Value, planned: State, config: Value): Promise<Applied>;
  read(type: string, state: State): Promise<State>;
  stop(): void;
}

interface Step {
  readonly selector: "attribute_name" | "element_key_string" | "element_key_int";
  readonly [key: string]: string | number;
}
interface WirePath {
  readonly steps: readonly Step[];
}
interface Diagnostic {
  readonly severity: "ERROR" | "WARNING";
  readonly summary: string;
  readonly detail: string;
  readonly attribute: WirePath | null;
}
// biome-ignore lint/suspicious/noExplicitAny: answers have the shape that provider/terraform.proto gives them
type Answer = any;

/** Runs the provider for as long as our end of its input is open, which a test run that is killed closes too. */
const ENDS_WITH_US = 'exec 3<&0; (cat <&3; kill -9 $$) >/dev/null 2>&1 & exec "$0" </dev/null 3<&-';

export async function startTerraform(binary: string): Promise<Terraform> {
  const sockets = mkdtempSync(join(tmpdir(), "oneoff-terraform-"));
  const child = spawn("sh", ["-c", ENDS_WITH_US, binary], {
    stdio: ["pipe", "pipe", "ignore"], // its log has all that it sends to Docker, secrets too
    env: {
      ...process.env,
      TF_PLUGIN_MAGIC_COOKIE: "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2",
      PLUGIN_PROTOCOL_VERSIONS: "6",
      PLUGIN_UNIX_SOCKET_DIR: sockets,
    },
  });
  const kill = () => {
    child.kill("SIGKILL");
    rmSync(sockets, { recursive: true, force: true });
  };
  process.once("exit", kill);
  const stop = () => {
    process.off("exit", kill);
    kill();
  };
  try {
    return await connect(await addressOf(child), stop);
  } catch (error) {
    stop();
    throw error;
  }
}

/** The first line that a plugin prints: `1|6|unix|/tmp/plugin1|grpc|`. */
async function addressOf(child: ChildProcess): Promise<string> {
  const line = await new Promise<string>((resolve, reject) => {
    createInterface(child.stdout as NodeJS.ReadableStream).once("line", resolve);
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`the Terraform provider ended with ${code} before it answered`)));
  });
  const [, version, network, address] = line.split("|");
  if (version !== "6" || network !== "unix") throw new Error(`the Terraform provider offers ${line}`);
  return `unix:${address}`;
}

async function connect(address: string, stop: () => void): Promise<Terraform> {
  const definition = loadSync(PROTOCOL, { keepCase: true, longs: Number, enums: String, defaults: true, oneofs: true });
  const { Provider } = (grpc.loadPackageDefinition(definition) as Answer).tfplugin6;
  const client = new Provider(address, grpc.credentials.createInsecure(), { "grpc.max_receive_message_length": -1 });
  const call = (method: string, request: object = {}): Promise<Answer> =>
    new Promise((resolve, reject) => {
      client[method](request, (error: Error | null, answer: Answer) => (error ? reject(error) : resolve(answer)));
    });
  const schemas = await call("GetProviderSchema");
  const resources: [string, Answer][] = Object.entries(schemas.resource_schemas);
  return {
    provider: block(schemas.provider.block),
    resources: Object.fromEntries(resources.map(([type, schema]) => [type, block(schema.block)])),
    async configure(config) {
      refuse((await call("ConfigureProvider", { terraform_version: "1.9.0", config: wire(config) })).diagnostics);
    },
    async validate(type_name, config) {
      return problems((await call("ValidateResourceConfig", { type_name, config: wire(config) })).diagnostics);
    },
    async recall(type_name, remembered) {
      const { version } = schemas.resource_schemas[type_name];
      const raw_state = { json: Buffer.from(JSON.stringify(remembered)) };
      const answer = await call("UpgradeResourceState", { type_name, version, raw_state });
      refuse(answer.diagnostics);
      return decode(answer.upgraded_state.msgpack);
    },
    async plan(type_name, prior, proposed, config) {
      const answer = await call("PlanResourceChange", {
        type_name,
        prior_state: wire(prior.value),
        proposed_new_state: wire(proposed),
        config: wire(config),
        prior_private: prior.private,
      });
      refuse(answer.diagnostics);
      const replaces = answer.requires_replace.map(path);
      return { value: decode(answer.planned_state.msgpack), private: answer.planned_private, replaces };
    },
    async apply(type_name, prior, planned, config) {
      const answer = await call("ApplyResourceChange", {
        type_name,
        prior_state: wire(prior),
        planned_state: wire(planned.value),
        config: wire(config),
        planned_private: planned.private,
      });
      const value = answer.new_state ? decode(answer.new_state.msgpack) : null;
      return { value, private: answer.private, problems: problems(answer.diagnostics) };
    },
    async read(type_name, state) {
      const current_state = wire(state.value);
      const answer = await call("ReadResource", { type_name, current_state, private: state.private });
      refuse(answer.diagnostics);
      return { value: decode(answer.new_state.msgpack), private: answer.private };
    },
    stop() {
      client.close();
      stop();
    },
  };
}

const wire = (value: Value) => ({ msgpack: encode(value) });

const path = ({ steps }: WirePath): Path => steps.map((step) => step[step.selector] as string | number);

function block(sent: Answer): Block {
  return {
    attributes: sent.attributes.map((attribute: Answer) => ({ ...attribute, type: JSON.parse(attribute.type) })),
    block_types: sent.block_types.map((nested: Answer) => ({ ...nested, block: block(nested.block) })),
  };
}

const problems = (diagnostics: readonly Diagnostic[]): Problem[] =>
  diagnostics
    .filter(({ severity }) => severity === "ERROR")
    .map(({ summary, detail, attribute }) => ({
      path: attribute ? path(attribute) : [],
      message: detail && detail !== summary ? `${summary}: ${detail}` : summary,
    }));

/** What Pulumi's bridge says when a call fails. */
export function told(found: readonly Problem[]): string {
  const lines = found.map(({ message }) => `\t* ${message}`).join("\n");
  return `${found.length} error${found.length === 1 ? "" : "s"} occurred:\n${lines}\n`;
}

function refuse(diagnostics: readonly Diagnostic[]): void {
  const found = problems(diagnostics);
  if (found.length > 0) throw new Error(told(found));
}
