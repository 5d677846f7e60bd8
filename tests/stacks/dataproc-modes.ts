import type { DataprocMode } from "../../assets/dataproc-orchestrator/launch.ts";
import type { StackUnderTest } from "../engine/harness.ts";
import { fakeGcp } from "./fake-gcp.ts";

/** Stack `dataproc` in one of its modes, on fake providers. */
export const dataproc = (mode: DataprocMode): StackUnderTest => ({
  stack: "dataproc",
  packages: ["gcp", "random", "tls"],
  config: { "gcp:project": "my-project", "oneoff:mode": mode },
  fake: fakeGcp,
});
