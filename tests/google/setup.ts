import { storageServer } from "./storage.ts";

/** Once before all tests: workers would each build it when they first need it, all at the same time. */
export default async function setup(): Promise<void> {
  await storageServer();
}
