/** What the docker provider computes, as far as the stack `swarm` uses it. */
import type { FakeOptions } from "../engine/fake-provider.ts";

const IMMUTABLE: Readonly<Record<string, readonly string[]>> = {
  "docker:index/secret:Secret": ["name", "data", "labels"],
  "docker:index/serviceConfig:ServiceConfig": ["name", "data", "labels"],
  "docker:index/remoteImage:RemoteImage": ["name", "build"],
  "docker:index/network:Network": ["name", "driver", "options"],
  "docker:index/service:Service": ["name"],
  "docker:index/volume:Volume": ["name"],
};

export const fakeDocker: FakeOptions = {
  outputs: (type, name) => {
    if (type === "random:index/randomPassword:RandomPassword") return { result: name.padEnd(32, "x") };
    if (type === "docker:index/registryImage:RegistryImage") return { sha256Digest: `sha256:${"1".repeat(64)}` };
    return {};
  },
  replaces: (type) => IMMUTABLE[type] ?? [],
};
