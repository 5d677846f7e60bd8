import * as pulumi from "@pulumi/pulumi";
import { Label, labelValue, stackLabel } from "../../core/labels.ts";
import { Tag } from "../../core/tags.ts";

/** Value of tag `oneoff:stack`: "oneoff/emr-oneoff". */
export const stackId = (): string => `${pulumi.getProject()}/${pulumi.getStack()}`;

/** Tags of everything that a stack makes. */
export const stackTags = (more: Readonly<Record<string, string>> = {}): Record<string, string> => ({
  [Tag.stack]: stackId(),
  ...more,
});

/** Labels of everything that a stack makes on Google Cloud, where it takes any. */
export const stackLabels = (more: Readonly<Record<string, string>> = {}): Record<string, string> => ({
  [Label.stack]: stackLabel(stackId()),
  ...more,
});

/** The same with the name of the lake's bucket, which tells two stacks of one name in one project apart. */
export const lakeLabels = (
  bucket: pulumi.Input<string>,
  more: Readonly<Record<string, string>> = {},
): pulumi.Output<Record<string, string>> =>
  pulumi.output(bucket).apply((bucket) => stackLabels({ [Label.lake]: labelValue(bucket), ...more }));

/** Path of the stack's IAM roles and profiles, so that they are found when only the stack's name is known. */
export const rolePath = (): string => `/oneoff/${stackId()}/`;

/**
 * A name that tells project and stack, for what is found by its name alone or can't be named by Pulumi. At most 63
 * lower-case letters, digits and separators.
 *
 * @param hex makes it unique, also where two people have a stack of one name in one account.
 */
export function physicalName(name: string, hex: pulumi.Input<string>, separator = "-"): pulumi.Output<string> {
  const readable = `${pulumi.getProject()}-${pulumi.getStack()}-${name}`
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, separator)
    .slice(0, 54)
    .replace(/[-_]+$/, "");
  return pulumi.interpolate`${readable}${separator}${hex}`;
}
