import type * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import type { Page } from "./gateway.ts";
import { digest } from "./run-service.ts";
import type { SwarmService } from "./service.ts";

/** Seconds in which all services must run. */
const CONVERGE_SECONDS = 600;

export interface Rendered {
  readonly service: SwarmService;
  readonly resource: docker.Service;
}

/** There once all services run; its error names those that don't, and why. */
export class Services extends pulumi.CustomResource {
  constructor(name: string, services: readonly Rendered[], opts: pulumi.CustomResourceOptions) {
    const inputs = services.map(({ service, resource }) => ({
      id: resource.id,
      name: resource.name,
      replicas: service.replicas ?? 1,
      spec: resource.taskSpec.apply((spec) => digest(JSON.stringify(spec))),
    }));
    const args = { endpoint: endpoint(), services: inputs, timeoutSeconds: CONVERGE_SECONDS };
    super("oneoff-local:index:Services", name, args, opts);
  }
}

/** What the docker provider is told of where Docker is, by full key. */
function endpoint(): Readonly<Record<string, string>> {
  const config = new pulumi.Config("docker");
  return Object.fromEntries(
    ["context", "host", "certPath"].flatMap((key) => {
      const value = config.get(key);
      return value === undefined ? [] : [[`docker:${key}`, value] as const];
    }),
  );
}

/**
 * The pages there are, in the order of their ports.
 *
 * @param names of those there can be: each has its own port, from the first, whichever others there are.
 */
export function pagesOf(names: readonly string[], first: number, services: readonly SwarmService[]): readonly Page[] {
  const pages = services.flatMap(({ name: role, pages = [], listens = {} }) =>
    pages.map(({ name, listen, path }) => {
      const place = names.indexOf(name);
      if (place < 0) throw new Error(`page ${name} of service ${role} has no port`);
      return { name, role, port: listens[listen] as number, published: first + place, ...(path && { path }) };
    }),
  );
  return pages.sort((one, other) => one.published - other.published);
}
