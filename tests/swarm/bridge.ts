/** Answers Pulumi's calls by Terraform's, as Pulumi's bridge does for the plugin that it publishes. */
import { randomBytes } from "node:crypto";
import { createRequire } from "node:module";
import * as grpc from "@grpc/grpc-js";
import * as convert from "./convert.ts";
import { decode, encode, type Value } from "./msgpack.ts";
import { type Block, type Path, type Plan, type Problem, type State, type Terraform, told } from "./terraform.ts";

const require = createRequire(import.meta.url);
const messages = require("@pulumi/pulumi/proto/provider_pb.js");
const plugin = require("@pulumi/pulumi/proto/plugin_pb.js");
const { Status } = require("@pulumi/pulumi/proto/status_pb.js");
const { ResourceProviderService } = require("@pulumi/pulumi/proto/provider_grpc_pb.js");
const { Any } = require("google-protobuf/google/protobuf/any_pb.js");
const { Struct } = require("google-protobuf/google/protobuf/struct_pb.js");
const { Empty } = require("google-protobuf/google/protobuf/empty_pb.js");

// biome-ignore lint/suspicious/noExplicitAny: the generated messages have no types worth the name
export type Message = any;
export type Methods = Readonly<Record<string, (request: Message) => Message | Promise<Message>>>;

/** What Pulumi's package says of a resource beside Terraform's schema. */
export interface Kind {
  /** Terraform's name for it. */
  readonly terraform: string;
  /** Terraform's names of what Pulumi leaves singular. @default none */
  readonly singular?: readonly string[];
  /** Whether it makes way before its replacement is made. @default only when its name was given */
  readonly deletedFirst?: boolean;
  /** Whether a name is made up when none is given. @default true */
  readonly autoNamed?: boolean;
}

/** A resource was made or changed, and then something failed: Pulumi keeps it and says so. */
class HalfDone extends Error {
  readonly id: string;
  readonly properties: Message;

  constructor(message: string, id: string, properties: Message) {
    super(message);
    this.id = id;
    this.properties = properties;
  }
}

const NOTHING: State = { value: null, private: Buffer.alloc(0) };
/** Output that holds Terraform's own state: read back from the others, null and empty would look the same. */
const MEMORY = "__terraform";
/** Input that lists those which were made up. */
const DEFAULTS = "__defaults";

const nameOf = (urn: string) => urn.split("::").slice(3).join("::");
const objectOf = (sent: Message | undefined): convert.Properties => sent?.toJavaScript() ?? {};
const struct = (properties: convert.Properties) => Struct.fromJavaScript(JSON.parse(JSON.stringify(properties)));
const idOf = ({ value }: State) => (value as { readonly id?: string } | null)?.id;

/** What Pulumi keeps of a resource. */
function remembered(block: Block, state: State): Message {
  const memory = [encode(state.value), state.private].map((bytes) => bytes.toString("base64")).join(" ");
  return struct({ ...convert.toPulumi(block, state.value), [MEMORY]: convert.secret(memory) });
}

/** The calls of Pulumi's protocol; `kinds` are the resources of a package by the last part of their type. */
export function bridge(terraform: Terraform, kinds: Readonly<Record<string, Kind>>): Methods {
  for (const { terraform: type, singular = [] } of Object.values(kinds)) {
    convert.keepNames(terraform.resources[type] as Block, singular);
  }

  function kindOf(request: Message): Kind & { readonly block: Block } {
    const name = (request.getUrn() as string).split("::")[2]?.split(":").at(-1) as string;
    const kind = kinds[name];
    if (!kind) throw new Error(`the test provider makes no ${name}`);
    return { ...kind, block: terraform.resources[kind.terraform] as Block };
  }

  async function recalled(request: Message, outputs: Message): Promise<State> {
    const memory = objectOf(outputs)[MEMORY];
    if (typeof memory !== "string") throw new Error("the state is of Pulumi's own docker plugin: destroy it with that");
    const [value, own] = memory.split(" ").map((text) => Buffer.from(text, "base64")) as [Buffer, Buffer];
    return { value: await terraform.recall(kindOf(request).terraform, decode(value)), private: own };
  }

  /** What Terraform would do to get from what is there to what is wanted. */
  async function planned(request: Message, was: State): Promise<Plan & { readonly config: Value }> {
    const { terraform: type, block } = kindOf(request);
    const config = convert.toTerraform(block, objectOf(request.getNews?.() ?? request.getProperties()));
    const plan = await terraform.plan(type, was, convert.proposed(block, was.value, config), config);
    const written: readonly string[] = request.getIgnorechangesList?.() ?? [];
    const ignored = written.map((place) => convert.terraformPath(block, place));
    return {
      ...plan,
      config,
      value: ignored.reduce((value, path) => convert.restored(value, was.value, path), plan.value),
      replaces: plan.replaces.filter((path) => !ignored.some((outer) => convert.within(path, outer))),
    };
  }

  const preview = async (request: Message, was: State) =>
    struct(convert.toPulumi(kindOf(request).block, (await planned(request, was)).value));

  /** Does what was planned, and gives the id and the outputs of what is there then. */
  async function applied(request: Message, was: State): Promise<{ readonly id: string; readonly properties: Message }> {
    const { terraform: type, block } = kindOf(request);
    const plan = await planned(request, was);
    const done = await terraform.apply(type, was.value, plan, plan.config);
    const id = idOf(done);
    if (!id) throw new Error(done.problems.length > 0 ? told(done.problems) : "the provider made nothing");
    const properties = remembered(block, done);
    const doing = was === NOTHING ? "creating" : "updating";
    if (done.problems.length > 0) {
      throw new HalfDone(`${doing} ${request.getUrn()}: ${told(done.problems)}`, id, properties);
    }
    return { id, properties };
  }

  return {
    attach: () => new Empty(),
    getPluginInfo: () => new plugin.PluginInfo().setVersion("5.2.0"),
    getSchema: () => new messages.GetSchemaResponse().setSchema("{}"),
    checkConfig: (request) => new messages.CheckResponse().setInputs(request.getNews()),
    diffConfig: () => new messages.DiffResponse(),
    async configure(request) {
      await terraform.configure(convert.toTerraform(terraform.provider, settings(objectOf(request.getArgs()))));
      return new messages.ConfigureResponse().setAcceptsecrets(false).setSupportspreview(true);
    },
    async check(request) {
      const { terraform: type, autoNamed = true, block } = kindOf(request);
      const inputs = autoNamed ? named(request) : objectOf(request.getNews());
      const problems = await terraform.validate(type, convert.toTerraform(block, inputs));
      return new messages.CheckResponse()
        .setInputs(struct(convert.guarded(block, inputs)))
        .setFailuresList(problems.map((problem) => failure(block, problem)));
    },
    async diff(request) {
      const { block, autoNamed = true, deletedFirst } = kindOf(request);
      const was = await recalled(request, request.getOlds());
      const response = diffOf(block, was.value, await planned(request, was));
      const givenName = autoNamed && !madeUp(objectOf(request.getNews()));
      return response.setDeletebeforereplace(response.getReplacesList().length > 0 && (deletedFirst || givenName));
    },
    async create(request) {
      if (request.getPreview()) return new messages.CreateResponse().setProperties(await preview(request, NOTHING));
      const { id, properties } = await applied(request, NOTHING);
      return new messages.CreateResponse().setId(id).setProperties(properties);
    },
    async update(request) {
      const was = await recalled(request, request.getOlds());
      if (request.getPreview()) return new messages.UpdateResponse().setProperties(await preview(request, was));
      return new messages.UpdateResponse().setProperties((await applied(request, was)).properties);
    },
    async read(request) {
      const { terraform: type, block } = kindOf(request);
      const now = await terraform.read(type, await recalled(request, request.getProperties()));
      const id = idOf(now);
      if (!id) return new messages.ReadResponse().setId("");
      return new messages.ReadResponse().setId(id).setProperties(remembered(block, now)).setInputs(request.getInputs());
    },
    async delete(request) {
      const was = await recalled(request, request.getProperties());
      const gone = { ...was, value: null, replaces: [] };
      const { problems } = await terraform.apply(kindOf(request).terraform, was.value, gone, null);
      if (problems.length > 0) throw new Error(told(problems));
      return new Empty();
    },
    cancel: () => new Empty(), // as in Pulumi's: what is in progress goes on to its end
  };
}

/** A provider's settings come as text, whatever they are, and with the plugin's version. */
function settings({ version: _, ...given }: convert.Properties): convert.Properties {
  const read = (value: unknown) => (typeof value === "string" && /^[[{]/.test(value) ? JSON.parse(value) : value);
  return Object.fromEntries(Object.entries(given).map(([key, value]) => [key, read(value)]));
}

const madeUp = (inputs: convert.Properties) => ((inputs[DEFAULTS] ?? []) as string[]).includes("name");

/** The inputs with a name: the given one, else the one made up before, else a new one. */
function named(request: Message): convert.Properties {
  const [inputs, before] = [objectOf(request.getNews()), objectOf(request.getOlds())];
  if (inputs.name != null) return { ...inputs, [DEFAULTS]: [] };
  const fresh = () => `${nameOf(request.getUrn())}-${randomBytes(4).toString("hex").slice(0, 7)}`;
  return { ...inputs, name: madeUp(before) ? before.name : fresh(), [DEFAULTS]: ["name"] };
}

const failure = (block: Block, { path, message }: Problem): Message =>
  new messages.CheckFailure().setProperty(convert.pulumiPath(block, path)).setReason(message);

function diffOf(block: Block, was: Value, plan: Plan): Message {
  const found = convert.changes(block, was, plan.value).filter(({ path }) => path[0] !== "id");
  const { DiffChanges } = messages.DiffResponse;
  const response = new messages.DiffResponse().setHasdetaileddiff(true);
  const touches = (path: Path) => plan.replaces.some((at) => convert.within(at, path) || convert.within(path, at));
  const [tops, replaced] = [new Set<string>(), new Set<string>()];
  for (const { path, kind } of found) {
    const place = convert.pulumiPath(block, path);
    const top = place.split(/[.[]/)[0] as string;
    const replaces = touches(path);
    tops.add(top);
    if (replaces) replaced.add(top);
    const code = messages.PropertyDiff.Kind[replaces ? `${kind}_REPLACE` : kind];
    response.getDetaileddiffMap().set(place, new messages.PropertyDiff().setKind(code));
  }
  return response
    .setChanges(found.length > 0 ? DiffChanges.DIFF_SOME : DiffChanges.DIFF_NONE)
    .setDiffsList([...tops])
    .setReplacesList([...replaced]);
}

/** Serves the calls on a port of its own. */
export async function serve(methods: Methods): Promise<{ readonly port: number; close(): void }> {
  const server = new grpc.Server({ "grpc.max_receive_message_length": -1 });
  const handlers = Object.entries(methods).map(([name, method]) => [
    name,
    (call: { request: Message }, respond: (error: unknown, response?: Message) => void) => {
      Promise.resolve()
        .then(() => method(call.request))
        .then((response) => respond(null, response))
        .catch((error: Error) => respond(refusal(error)));
    },
  ]);
  server.addService(ResourceProviderService, Object.fromEntries(handlers));
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  return { port, close: () => server.forceShutdown() };
}

/** An error on Pulumi's wire; what was half done goes with it. */
function refusal(error: Error): { code: number; message: string; metadata?: grpc.Metadata } {
  const { message } = error;
  if (!(error instanceof HalfDone)) return { code: grpc.status.UNKNOWN, message };
  const detail = new messages.ErrorResourceInitFailed().setId(error.id).setProperties(error.properties);
  detail.setReasonsList([message]);
  const packed = new Any();
  packed.pack(detail.serializeBinary(), "pulumirpc.ErrorResourceInitFailed");
  const status = new Status().setCode(grpc.status.UNKNOWN).setMessage(message).setDetailsList([packed]);
  const metadata = new grpc.Metadata();
  metadata.add("grpc-status-details-bin", Buffer.from(status.serializeBinary()));
  return { code: grpc.status.UNKNOWN, message, metadata };
}
