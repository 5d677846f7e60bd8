/**
 * Pulumi's docker provider for tests. Its plugin is Pulumi's bridge around a Terraform provider; where the plugin is not
 * installed, `bridge.ts` stands around the same provider, which Go builds. So what a second `up` changes, what is
 * replaced and how a failure reads are the provider's own.
 */
import { existsSync, readdirSync } from "node:fs";
import { get } from "node:http";
import { homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { goBuild } from "../go-build.ts";
import { bridge, type Kind, type Message, type Methods, serve } from "./bridge.ts";
import { keepNames } from "./convert.ts";
import { startTerraform } from "./terraform.ts";

const SOURCE = fileURLToPath(new URL("provider", import.meta.url));
const MODULE = "github.com/terraform-providers/terraform-provider-docker";

const KINDS: Readonly<Record<string, Kind>> = {
  Container: { terraform: "docker_container", singular: ["command", "networks_advanced"], deletedFirst: true },
  Network: { terraform: "docker_network" },
  RegistryImage: { terraform: "docker_registry_image" },
  RemoteImage: { terraform: "docker_image", autoNamed: false },
  Secret: { terraform: "docker_secret" },
  Service: { terraform: "docker_service" },
  ServiceConfig: { terraform: "docker_config" },
  Tag: { terraform: "docker_tag", autoNamed: false },
  Volume: { terraform: "docker_volume" },
};

export interface DockerProvider {
  /** What the engine needs in its environment to use it. */
  readonly env: Readonly<Record<string, string>>;
  stop(): void;
}

/** Starts the provider. Several stacks may use it at once if their Docker host is the same. */
export async function startDockerProvider(): Promise<DockerProvider> {
  if (isInstalled()) return { env: {}, stop: () => {} };
  const terraform = await startTerraform(await built());
  try {
    keepNames(terraform.provider, ["registry_auth"]);
    const { port, close } = await serve(pinging(bridge(terraform, KINDS)));
    const stop = () => {
      close();
      terraform.stop();
    };
    return { env: { PULUMI_DEBUG_PROVIDERS: `docker:${port}` }, stop };
  } catch (error) {
    terraform.stop();
    throw error;
  }
}

/** Pulumi's plugin asks the daemon for a sign of life before anything else, previews included; one behind ssh it does not. */
function pinging(methods: Methods): Methods {
  const configure = async (request: Message) => {
    const { host = process.env.DOCKER_HOST || "unix:///var/run/docker.sock" } = request.getArgs()?.toJavaScript() ?? {};
    if (!(await answers(new URL(host)))) {
      const refusal = "docker native provider returned an unexpected error from Configure";
      throw new Error(`${refusal}: failed to connect to any docker daemon`);
    }
    return methods.configure?.(request);
  };
  return { ...methods, configure };
}

function answers({ protocol, hostname, port, pathname }: URL): Promise<boolean> {
  if (protocol === "ssh:") return Promise.resolve(true);
  const where = protocol === "unix:" ? { socketPath: pathname } : { host: hostname, port };
  return new Promise((resolve) => {
    const ping = get({ ...where, path: "/_ping", timeout: 10_000 }, (answer) => {
      answer.resume();
      resolve(answer.statusCode === 200);
    });
    ping.on("timeout", () => ping.destroy());
    ping.on("error", () => resolve(false));
  });
}

/** Whether Pulumi's own plugin is there. */
function isInstalled(): boolean {
  const plugins = join(process.env.PULUMI_HOME || join(homedir(), ".pulumi"), "plugins");
  return existsSync(plugins) && readdirSync(plugins).some((name) => /^resource-docker-v5\.[\d.]+$/.test(name));
}

/** The Terraform provider's program. */
const built = (): Promise<string> =>
  goBuild(SOURCE, MODULE, ["-tags", "no_compose"], ", or run: pulumi plugin install resource docker 5.2.0");
