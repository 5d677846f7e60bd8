import * as pulumi from "@pulumi/pulumi";

/** A secret that is made on this machine, without a provider that would have to be fetched. */
export class Secret extends pulumi.CustomResource {
  /** Letters, digits, "-" and "_". */
  declare readonly value: pulumi.Output<string>;

  constructor(name: string, opts: pulumi.CustomResourceOptions) {
    const secret = pulumi.mergeOptions(opts, { additionalSecretOutputs: ["value"] });
    super("oneoff-local:index:Secret", name, { value: undefined }, secret);
  }
}
