// Pulumi's entry point. Plain JavaScript, so that a Node that cannot run TypeScript gets a sentence and not a stack trace.
import { RunError } from "@pulumi/pulumi/errors.js";

export default async function program() {
  if (!process.features.typescript) {
    const error = new RunError(
      `Node ${process.versions.node} (${process.execPath}) cannot run TypeScript: Node 22.18 or newer is needed. ` +
        "Run `npm ci` once and then `npx pulumi ...` in this folder, which uses the Node that the project brings.",
    );
    error.stack = undefined; // Pulumi traces it in colour, which takes Node 20 half a minute
    throw error;
  }
  const { default: main, ...outputs } = await import("../index.ts");
  return typeof main === "function" ? main() : (main ?? outputs);
}
