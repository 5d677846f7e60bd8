/** The Pulumi program of every stack: runs stacks/<program>.ts with the stack's settings. */
import * as pulumi from "@pulumi/pulumi";
import { allConfig } from "@pulumi/pulumi/runtime/config.js";
import { isLocalBackend } from "./components/common/backend.ts";
import { settingsOf } from "./components/common/stack.ts";
import { UsageError } from "./core/errors.ts";
import { loadProgram } from "./stacks/index.ts";

const config = allConfig();
const program = await loadProgram(config["oneoff:program"] ?? pulumi.getStack());
if (program.rents && isLocalBackend(process.env.PULUMI_BACKEND_URL)) {
  throw new UsageError(
    `stack ${pulumi.getStack()} rents machines, and the backend is the one for this machine only: log in to one that outlives it with "pulumi login", and unset PULUMI_BACKEND_URL and PULUMI_CONFIG_PASSPHRASE`,
  );
}

export default program.run(settingsOf(program, config));
