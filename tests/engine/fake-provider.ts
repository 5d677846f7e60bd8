/**
 * A provider that makes nothing and remembers everything, for any package: the real engine previews, ups and destroys a
 * whole stack against it in seconds. PULUMI_DEBUG_PROVIDERS attaches it.
 */
import { createRequire } from "node:module";
import * as grpc from "@grpc/grpc-js";

const require = createRequire(import.meta.url);
const messages = require("@pulumi/pulumi/proto/provider_pb.js");
const plugin = require("@pulumi/pulumi/proto/plugin_pb.js");
const { ResourceProviderService } = require("@pulumi/pulumi/proto/provider_grpc_pb.js");
const { Struct } = require("google-protobuf/google/protobuf/struct_pb.js");
const { Empty } = require("google-protobuf/google/protobuf/empty_pb.js");

export type Properties = Readonly<Record<string, unknown>>;

export interface Resource {
  readonly id: string;
  readonly type: string;
  readonly name: string;
  readonly properties: Properties;
}

export interface FakeOptions {
  /** Outputs that the provider computes, beside the inputs. @default none */
  readonly outputs?: (type: string, name: string, inputs: Properties) => Properties;
  /** What a function (`aws:index/getCallerIdentity:getCallerIdentity`) returns. @default its arguments */
  readonly invoke?: (token: string, args: Properties) => Properties;
  /** Whether making a resource fails. @default never */
  readonly fails?: (type: string, name: string) => boolean;
  /** How long it takes to make or delete a resource, in milliseconds. @default 0 */
  readonly delay?: (type: string, what: "create" | "delete", name: string) => number;
  /** Whether what is there goes when another resource is deleted, as objects go with their bucket. @default never */
  readonly goesWith?: (other: Resource, deleted: Resource) => boolean;
  /** Inputs whose change makes a new resource. @default none: every change is an update */
  readonly replaces?: (type: string) => readonly string[];
  /** What is there from the start, made by another engine. @default nothing */
  readonly there?: readonly Resource[];
}

/** What happened, in order. */
export interface Event {
  readonly what: "create" | "update" | "delete" | "fail";
  readonly type: string;
  readonly name: string;
}

export interface FakeProvider {
  /** Value of PULUMI_DEBUG_PROVIDERS that attaches it for these packages. */
  attach(packages: readonly string[]): string;
  /** What is there now. After a destroy it must be empty. */
  readonly ledger: ReadonlyMap<string, Resource>;
  readonly events: readonly Event[];
  /** Tokens of the functions that were called. */
  readonly invoked: readonly string[];
  /** Somebody else changes what is there: a refresh reads it, as state and as inputs. */
  change(id: string, properties: Properties): void;
  close(): void;
}

// biome-ignore lint/suspicious/noExplicitAny: the generated messages have no types worth the name
type Message = any;

const struct = (properties: Properties) => Struct.fromJavaScript(JSON.parse(JSON.stringify(properties)));
const typeOf = (urn: string) => (urn.split("::")[2] as string).split("$").at(-1) as string;
const nameOf = (urn: string) => urn.split("::").slice(3).join("::");

/** The engine's mark of assets and archives, which are what they hold, wherever their files lie. */
const SIGNATURE = "4dabf18193072939515e22adb298388d";
const comparable = (value: unknown): string =>
  JSON.stringify(value, (_key, one) => (one?.[SIGNATURE] && one.hash ? { hash: one.hash } : one)) ?? "";

export async function fakeProvider(options: FakeOptions = {}): Promise<FakeProvider> {
  const ledger = new Map<string, Resource>(options.there?.map((resource) => [resource.id, resource]));
  const events: Event[] = [];
  const invoked: string[] = [];
  const drifts = new Map<string, Properties>();
  const outputsOf = (type: string, name: string, inputs: Properties) => ({
    ...inputs,
    ...options.outputs?.(type, name, inputs),
  });
  const wait = (type: string, what: "create" | "delete", name: string) =>
    new Promise((resolve) => setTimeout(resolve, options.delay?.(type, what, name) ?? 0));

  const methods: Record<string, (request: Message) => Message | Promise<Message>> = {
    attach: () => new Empty(),
    cancel: () => new Empty(),
    getPluginInfo: () => new plugin.PluginInfo().setVersion("0.0.0"),
    getSchema: () => new messages.GetSchemaResponse().setSchema("{}"),
    checkConfig: (request) => new messages.CheckResponse().setInputs(request.getNews()),
    diffConfig: () => new messages.DiffResponse(),
    configure: () => new messages.ConfigureResponse().setAcceptsecrets(false).setSupportspreview(true),
    invoke: (request) => {
      const args = request.getArgs().toJavaScript();
      invoked.push(request.getTok());
      return new messages.InvokeResponse().setReturn(struct(options.invoke?.(request.getTok(), args) ?? args));
    },
    check: (request) => new messages.CheckResponse().setInputs(request.getNews()),
    diff(request) {
      const olds = request.getOldInputs().toJavaScript();
      const news = request.getNews().toJavaScript();
      const keys = [...new Set([...Object.keys(olds), ...Object.keys(news)])];
      const changed = keys.filter((key) => comparable(olds[key]) !== comparable(news[key]));
      const replacing = options.replaces?.(typeOf(request.getUrn())) ?? [];
      const { DIFF_SOME, DIFF_NONE } = messages.DiffResponse.DiffChanges;
      return new messages.DiffResponse()
        .setChanges(changed.length > 0 ? DIFF_SOME : DIFF_NONE)
        .setDiffsList(changed)
        .setReplacesList(changed.filter((key) => replacing.includes(key)));
    },
    async create(request) {
      const [type, name] = [typeOf(request.getUrn()), nameOf(request.getUrn())];
      const inputs = request.getProperties().toJavaScript();
      if (request.getPreview()) return new messages.CreateResponse().setProperties(struct(inputs));
      await wait(type, "create", name);
      if (options.fails?.(type, name)) {
        events.push({ what: "fail", type, name });
        throw new Error(`made to fail: ${type} ${name}`);
      }
      const id = `${name}-${ledger.size}-${events.length}`;
      const properties = outputsOf(type, name, inputs);
      ledger.set(id, { id, type, name, properties });
      events.push({ what: "create", type, name });
      return new messages.CreateResponse().setId(id).setProperties(struct(properties));
    },
    read(request) {
      const there = ledger.get(request.getId());
      if (!there) return new messages.ReadResponse().setId("");
      return new messages.ReadResponse()
        .setId(there.id)
        .setProperties(struct(there.properties))
        .setInputs(struct({ ...request.getInputs()?.toJavaScript(), ...drifts.get(there.id) }));
    },
    update(request) {
      const [type, name] = [typeOf(request.getUrn()), nameOf(request.getUrn())];
      const { name: given } = request.getOlds().toJavaScript();
      const news = request.getNews().toJavaScript();
      const computed = outputsOf(type, name, news);
      // A name that was made up stays what it is.
      const properties = news.name === undefined && computed.name ? { ...computed, name: given } : computed;
      if (!request.getPreview()) {
        ledger.set(request.getId(), { id: request.getId(), type, name, properties });
        events.push({ what: "update", type, name });
      }
      return new messages.UpdateResponse().setProperties(struct(properties));
    },
    async delete(request) {
      const [type, name] = [typeOf(request.getUrn()), nameOf(request.getUrn())];
      await wait(type, "delete", name);
      const deleted = ledger.get(request.getId());
      if (!deleted) throw new Error(`${type} ${name} was deleted twice, or never made`);
      ledger.delete(deleted.id);
      for (const other of ledger.values()) if (options.goesWith?.(other, deleted)) ledger.delete(other.id);
      events.push({ what: "delete", type, name });
      return new Empty();
    },
  };

  const server = new grpc.Server();
  const handlers = Object.entries(methods).map(([name, method]) => [
    name,
    (call: { request: Message }, respond: (error: unknown, response?: Message) => void) => {
      Promise.resolve()
        .then(() => method(call.request))
        .then((response) => respond(null, response))
        .catch((error: Error) => respond({ code: grpc.status.UNKNOWN, message: error.message }));
    },
  ]);
  server.addService(ResourceProviderService, Object.fromEntries(handlers));
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  return {
    attach: (packages) => packages.map((name) => `${name}:${port}`).join(","),
    ledger,
    events,
    invoked,
    change(id, properties) {
      const there = ledger.get(id) as Resource;
      ledger.set(id, { ...there, properties: { ...there.properties, ...properties } });
      drifts.set(id, properties);
    },
    close: () => server.forceShutdown(),
  };
}
