import * as pulumi from "@pulumi/pulumi";
import type { ServiceFile } from "../../core/service.ts";

/** Inputs of a process that is a service: what it is started with. */
export interface ProcessArgs {
  /** Tells processes on one lake apart: lower-case letters, digits and dashes. */
  readonly name: string;
  /** Absolute path of the lake's folder, in which it lives. */
  readonly lake: string;
  /** The program, by absolute path, and its arguments. */
  readonly command: readonly string[];
  /** What its environment has beside this machine's, and beside ONEOFF_ROOT: the folder that its files and disks are in. */
  readonly env: Readonly<Record<string, pulumi.Input<string>>>;
  /** What is written below that folder before it starts; those that are secret are in no state. */
  readonly files: readonly ServiceFile<pulumi.Input<string>>[];
  /** Folders below it that stay when the process is started again. */
  readonly disks: readonly string[];
  /** Ports of 127.0.0.1 that must be free for it. */
  readonly ports: readonly number[];
  /** What it may take, for `oneoff doctor`: nothing holds it to that. */
  readonly memoryMebibytes: number;
  /** Command that must exit with 0 before it is started anew: what it says last is why it can't be. @default none */
  readonly preflight?: readonly string[];
  /** Command that exits with 0 once it can be used. @default it can when it has started */
  readonly health?: readonly string[];
}

/** A service as a process on this machine, there once it can be used. It lives until it is destroyed. */
export class Process extends pulumi.CustomResource {
  constructor(name: string, args: ProcessArgs, opts?: pulumi.CustomResourceOptions) {
    const files = args.files.map((file) => (file.isSecret ? { ...file, content: pulumi.secret(file.content) } : file));
    super("oneoff-local:index:Process", name, { ...args, files }, opts);
  }
}
