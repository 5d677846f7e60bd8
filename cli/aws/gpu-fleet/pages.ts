import type { LakeStore } from "../../../clients/lake/store.ts";
import { UsageError } from "../../../core/errors.ts";
import type { Page, Route, StackContext } from "../../platform.ts";
import type { FleetOutputs } from "./outputs.ts";

export const pagesOf = (_stack: StackContext, _outputs: FleetOutputs): readonly Page[] => [];

export async function routeTo(
  _stack: StackContext,
  _outputs: FleetOutputs,
  _lake: LakeStore,
  name: string,
): Promise<Route> {
  throw new UsageError(name);
}
