import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { applyTransform, type Transform } from "../common/transform.ts";
import { AS_LABELLED, labels } from "./files.ts";

/** A page of a cluster, and where the gateway gives it out. */
export interface Page {
  readonly name: string;
  /** Name of its service on the cluster's network. */
  readonly role: string;
  readonly port: number;
  /** On 127.0.0.1. */
  readonly published: number;
  /** Path of the page. @default "/" */
  readonly path?: string;
}

export interface GatewayArgs {
  readonly prefix: string;
  readonly image: pulumi.Input<string>;
  readonly network: docker.Network;
  readonly pages: readonly Page[];
  readonly transform: Transform<docker.ContainerArgs> | undefined;
}

const CONFIG = "/etc/oneoff/haproxy.cfg";
const MEMORY_MEBIBYTES = 48;

/**
 * The one way into a cluster: a container beside the services, with ports on the loopback address alone. Swarm publishes
 * a service's port on all addresses of all nodes.
 */
export function gateway(name: string, args: GatewayArgs, opts: pulumi.CustomResourceOptions): docker.Container {
  const { prefix, image, network, pages, transform } = args;
  const container: docker.ContainerArgs = {
    name: `${prefix}-gateway`,
    image,
    command: ["gateway"],
    user: "10001:10001",
    labels: labels(prefix),
    networksAdvanced: [{ name: network.name }],
    ports: pages.map(({ published }) => ({ internal: published, external: published, ip: "127.0.0.1" })),
    uploads: [{ file: CONFIG, content: haproxyConfig(pages), permissions: "0644" }],
    healthcheck: {
      tests: ["CMD", "/opt/oneoff/healthy", "gateway"],
      interval: "10s",
      timeout: "5s",
      startPeriod: "30s",
      startInterval: "0s",
      retries: 3,
    },
    restart: "unless-stopped",
    memory: MEMORY_MEBIBYTES,
    memorySwap: MEMORY_MEBIBYTES,
    capabilities: { drops: ["ALL"] },
    destroyGraceSeconds: 5,
  };
  const options = pulumi.mergeOptions(AS_LABELLED, opts);
  return new docker.Container(...applyTransform(transform, `${name}-gateway`, container, options));
}

/**
 * A service may come, go and move, so its name is looked up while the gateway runs. A page that a browser was led to by
 * a name which somebody else gave to 127.0.0.1 (DNS rebinding) is refused, and so is what another site's page sends,
 * but for following a link.
 */
export function haproxyConfig(pages: readonly Page[]): string {
  const proxies = pages.map(
    ({ name, role, port, published }) => `
listen ${name}
  bind :${published}
  acl local req.hdr(host),field(1,:),lower -m str localhost 127.0.0.1
  acl foreign req.hdr(sec-fetch-site) -m str cross-site same-site
  acl link req.hdr(sec-fetch-dest) -m str document
  http-request deny status 421 content-type text/plain string "Only http://localhost and http://127.0.0.1 lead here.\\n" unless local
  http-request deny status 403 content-type text/plain string "A page of another site may not ask here.\\n" if foreign !link or foreign !METH_GET
  http-after-response set-header X-Frame-Options SAMEORIGIN
  http-error status 503 content-type text/plain string "${role} does not answer (yet).\\n"
  server ${role} ${role}:${port} resolvers docker resolve-prefer ipv4 init-addr none
`,
  );
  return `global
  log stdout format raw daemon notice
  maxconn 512
  nbthread 1

defaults
  mode http
  log global
  timeout connect 5s
  timeout http-request 30s
  timeout client 1h
  timeout server 1h
  timeout tunnel 1d

resolvers docker
  nameserver docker 127.0.0.11:53
  timeout resolve 2s
  timeout retry 1s
  hold valid 2s

frontend health
  bind 127.0.0.1:8404
  monitor-uri /healthy
${proxies.join("")}`;
}
