/** A program for docker-provider.test.ts: one of each of what the Swarm stack is made of. */
import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";

const { PREFIX = "", CONTEXT = "", BASE = "", PORT = "" } = process.env;
const config = new pulumi.Config();
const text = config.get("text") ?? "one";
const ends = { init: true, stopGracePeriod: "1m" }; // a deletion waits for the containers, and fails when they don't end

const network = new docker.Network(
  "network",
  { name: `${PREFIX}-network`, driver: "overlay", attachable: true, options: { encrypted: "" } },
  { ignoreChanges: ["options"] }, // the daemon adds one
);
const secret = new docker.Secret("secret", { name: `${PREFIX}-secret`, data: btoa("hush") });
const settings = new docker.ServiceConfig(
  "settings",
  { name: `${PREFIX}-settings-${text}`, data: btoa(text) },
  { deleteBeforeReplace: false }, // the service needs the old one until it has the new one
);
const image = new docker.RemoteImage("image", {
  name: `${PREFIX}-image:${text}`,
  build: { context: CONTEXT, buildArgs: { BASE } },
  forceRemove: true,
  triggers: { text },
});
const service = new docker.Service("service", {
  name: `${PREFIX}-service`,
  taskSpec: {
    containerSpec: {
      ...ends,
      image: image.name,
      commands: ["sleep"],
      args: ["1000"],
      env: { COLOUR: "red" },
      user: "1234:1234",
      mounts: [{ type: "volume", target: "/data" }],
      secrets: [{ secretId: secret.id, secretName: secret.name, fileName: "hush" }],
      configs: [{ configId: settings.id, configName: settings.name, fileName: "/etc/settings" }],
      healthcheck: { tests: ["CMD", ...(config.get("healthy") ?? "true").split(" ")], interval: "1s", retries: 1 },
    },
    resources: { limits: { memoryBytes: 32 * 2 ** 20 } },
    // Without a window the provider sends one of 0 s, and wonders ever after that there is one.
    restartPolicy: { condition: "any", delay: "1s", maxAttempts: 0, window: config.get("trap") ? undefined : "0s" },
    networksAdvanceds: [{ id: network.id, aliases: ["sleeper"] }],
  },
  mode: { replicated: { replicas: config.getNumber("replicas") ?? 1 } },
  endpointSpec: { mode: "dnsrr" },
  convergeConfig: { delay: "1s", timeout: config.get("timeout") ?? "1m" },
});
const container = new docker.Container("container", {
  name: `${PREFIX}-container`,
  image: image.imageId,
  entrypoints: ["sleep"],
  command: ["1000"],
  networksAdvanced: [{ name: network.id, aliases: ["gateway"] }],
  ports: [{ internal: 8080, external: Number(PORT), ip: "127.0.0.1" }],
  uploads: [{ file: "/etc/uploaded", content: text }],
});

export const secretData = secret.data;
export const serviceId = service.id;
export const containerAddress = container.networkDatas.apply(([data]) => data?.ipAddress);
