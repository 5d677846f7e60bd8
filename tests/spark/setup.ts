import { makeArchive } from "./quick-java.ts";

/** Once before all tests, and beside the first of them. */
export default function setup(): () => void {
  return makeArchive();
}
