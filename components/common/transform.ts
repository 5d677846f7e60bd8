import * as pulumi from "@pulumi/pulumi";

/** Changes a child just before it is made: arguments to put over ours, or a function that gets arguments and options. */
export type Transform<Args> =
  | Partial<Args>
  | ((args: Args, opts: pulumi.CustomResourceOptions, name: string) => Transformed<Args>);

/** What a transform function returns: the arguments to use, and options to merge over ours. */
export interface Transformed<Args> {
  readonly args: Args;
  readonly opts?: pulumi.CustomResourceOptions;
}

/** The arguments of a child's constructor with the caller's transform applied; the caller's options win by merging. */
export function applyTransform<Args extends object>(
  transform: Transform<Args> | undefined,
  name: string,
  args: Args,
  opts: pulumi.CustomResourceOptions,
): [name: string, args: Args, opts: pulumi.CustomResourceOptions] {
  if (typeof transform !== "function") return [name, { ...args, ...transform }, opts];
  const changed = transform(args, opts, name);
  return [name, changed.args, pulumi.mergeOptions(opts, changed.opts)];
}
