import { createHash } from "node:crypto";

/**
 * Labels that say whose a resource on Google Cloud is, as {@link Tag} does on AWS. Read by the command line, so nothing of
 * Pulumi is here. Keys and values have small letters, digits, dashes and underscores, at most 63
 * (https://cloud.google.com/resource-manager/docs/labels-overview#requirements).
 */
export const Label = {
  /** Project and stack, "oneoff__dataproc". On everything that takes labels. */
  stack: "oneoff-stack",
  /** Name of the lake's bucket. On clusters, batches, templates and the dashboard's instance. */
  lake: "oneoff-lake",
  /** Name of the component that machines belong to. */
  cluster: "oneoff-cluster",
  /** The run that they are for. */
  run: "oneoff-run",
  /** "retain" on a lake that stays when its stack is destroyed. */
  removal: "oneoff-removal",
} as const;

/** Text as a label's value. One that has to be changed for that ends in digits of its own, so that two never meet. */
export function labelValue(text: string): string {
  if (/^[a-z0-9_-]{0,63}$/.test(text)) return text;
  const hash = createHash("sha256").update(text).digest("hex").slice(0, 8);
  return `${text
    .toLowerCase()
    .replace(/[^a-z0-9_-]+/g, "-")
    .slice(0, 54)}-${hash}`;
}

/** Value of label `oneoff-stack` for "project/stack". One that could be another's by its underscores ends in digits too. */
export const stackLabel = (stackId: string): string => {
  const readable = stackId.replace("/", "__");
  return labelValue(isSharedLabel(stackId) ? `${readable}/` : readable);
};

/** Whether other stacks may have the same value: the digits are those of the underscores, wherever the slash was. */
export const isSharedLabel = (stackId: string): boolean => /__|_\/|\/_/.test(stackId);
