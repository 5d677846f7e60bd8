import type { GcpPart } from "../part.ts";
import { clusterNames, dataprocLeftovers, unlabelledLeftovers } from "./leftovers.ts";
import { dataprocNeeds } from "./needs.ts";

export const part: GcpPart = {
  needs: dataprocNeeds,
  leftovers: dataprocLeftovers,
  unlabelled: unlabelledLeftovers,
  clusterLabel: "goog-dataproc-cluster-name",
  clusters: clusterNames,
};
