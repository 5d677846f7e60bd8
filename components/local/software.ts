import * as pulumi from "@pulumi/pulumi";

/** Inputs of software that is fetched. */
export interface SoftwareArgs {
  /** What it is called, "hadoop": its folder's name begins so. */
  readonly name: string;
  /** Absolute path of what says which files it is: a jars.txt, or with `python` a requirements.txt with hashes. */
  readonly lock: string;
  /** Absolute path of the interpreter whose packages it is. @default it is jars */
  readonly python?: string;
}

/** Software that this machine may lack: fetched when it is first asked for, checked, and kept for all stacks. */
export class Software extends pulumi.CustomResource {
  /** Absolute path of its folder. */
  declare readonly folder: pulumi.Output<string>;

  constructor(name: string, args: SoftwareArgs, opts: pulumi.CustomResourceOptions) {
    super("oneoff-local:index:Software", name, { ...args, folder: undefined }, opts);
  }
}
