import { FolderStore } from "../../../clients/lake/folder.ts";
import { fetchParts } from "../../../clients/lake/read.ts";

/** What cli/local.ts reads of a lake, until it reads a store itself. */
export class LakeFolder {
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  /** Absolute paths of the part files of one run of a table, in the order of their names. */
  partFiles(table: string, run: string): Promise<readonly string[]> {
    return fetchParts(new FolderStore(this.#root), table, run, "");
  }
}
