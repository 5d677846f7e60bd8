/** The Pulumi provider `oneoff-local`: what the local components are made of, on this machine. */
import * as provider from "@pulumi/pulumi/provider/index.js";
import * as settings from "@pulumi/pulumi/runtime/settings.js";
import { cancel } from "./cancel.ts";
import { dataNodes } from "./data-nodes.ts";
import { folder } from "./folder.ts";
import { type Properties, plain, type ResourceKind } from "./resource.ts";
import { run } from "./run.ts";
import { secret } from "./secret.ts";
import { server } from "./server.ts";
import { serviceProcess } from "./service-process.ts";
import { services } from "./services.ts";
import { software } from "./software.ts";
import { spaceProblem } from "./space.ts";

const ENGINE_LOOK_MS = 1000;

const kinds: Readonly<Record<string, ResourceKind>> = {
  "oneoff-local:index:DataNodes": dataNodes,
  "oneoff-local:index:Folder": folder,
  "oneoff-local:index:Process": serviceProcess,
  "oneoff-local:index:Run": run,
  "oneoff-local:index:Secret": secret,
  "oneoff-local:index:Server": server,
  "oneoff-local:index:Services": services,
  "oneoff-local:index:Software": software,
};

function kindOf(urn: string): ResourceKind {
  const type = (urn.split("::")[2] as string).split("$").at(-1) as string;
  const kind = kinds[type];
  if (!kind) throw new Error(`oneoff-local has no resource ${type}; it has ${Object.keys(kinds).join(", ")}`);
  return kind;
}

/** Says of a full disk that it is one. */
async function withRoom<T>(properties: Properties, act: (properties: Properties) => Promise<T>): Promise<T> {
  try {
    return await act(properties);
  } catch (error) {
    throw spaceProblem(error, properties.lake ?? properties.path);
  }
}

// For warnings to reach the user: the SDK connects a provider's log to the engine only for components.
settings.resetOptions("", "", 0, process.argv.at(-1) as string, "", false, "");

// An engine that is killed can't end what it started.
const engine = process.ppid;
setInterval(() => process.ppid === engine || process.exit(), ENGINE_LOOK_MS).unref();

await provider.main(
  {
    version: "0.1.0",
    async check(urn, olds, news) {
      const old = Object.keys(olds).length > 0 ? plain(olds) : undefined;
      return { inputs: news, failures: [...(await kindOf(urn).check(urn, plain(news), old))] };
    },
    diff: async (_id, urn, olds, news) => kindOf(urn).diff(plain(olds), plain(news)),
    create: (urn, inputs) => withRoom(plain(inputs), (told) => kindOf(urn).create(urn, told)),
    async read(id, urn, props) {
      const now = await kindOf(urn).read(plain(props));
      return now ? { id, props: now, inputs: kindOf(urn).inputsOf(now) } : { id: "", props: {} };
    },
    async update(_id, urn, olds, news) {
      return { outs: await withRoom(plain(news), (told) => kindOf(urn).update(plain(olds), told, urn)) };
    },
    delete: (_id, urn, props) => withRoom(plain(props), (state) => kindOf(urn).delete(state, urn)),
    cancel,
  },
  process.argv.slice(2),
);
