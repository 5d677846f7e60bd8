import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { applyTransform } from "../common/transform.ts";
import type { SwarmClusterArgs, SwarmPlan } from "./args.ts";
import { type FilePlace, labels, swarmFiles } from "./files.ts";
import type { ServicePlace } from "./service.ts";

/** What of a cluster's arguments it hangs on. */
type PlaceArgs = Pick<SwarmClusterArgs, "lake" | "encrypted" | "transform">;

/** What all services of a cluster share, its network among it. */
export function placeOf(plan: SwarmPlan, args: PlaceArgs, files: FilePlace): ServicePlace {
  const { name, prefix, parent } = files;
  return {
    name,
    prefix,
    network: overlay(name, plan, args, parent),
    file: swarmFiles(files),
    nodeOf: ({ path }) => (path === plan.folder ? plan.node : plan.readsOn),
    keptOn: plan.node,
    needs: args.lake instanceof pulumi.Resource ? [args.lake] : [],
    transform: args.transform?.service,
    parent,
  };
}

/** Attachable, so that containers of the user's own can be put on it, and encrypted between the nodes. */
function overlay(name: string, { prefix }: SwarmPlan, args: PlaceArgs, parent: pulumi.Resource) {
  const { encrypted = true, transform } = args;
  const network = {
    name: prefix,
    driver: "overlay",
    attachable: true,
    ...(encrypted && { options: { encrypted: "" } }),
    labels: labels(prefix),
  };
  // Docker adds options of its own, and a change of one, or of a label, would be a new network.
  return new docker.Network(
    ...applyTransform(transform?.network, `${name}-network`, network, { parent, ignoreChanges: ["options", "labels"] }),
  );
}
