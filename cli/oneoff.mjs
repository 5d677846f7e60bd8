#!/usr/bin/env node
// `oneoff` in a checkout, where it is TypeScript; the published package has cli/main.js instead.
if (process.features.typescript) {
  await import("./main.ts");
} else {
  process.stderr.write(
    `oneoff: Node ${process.version} (${process.execPath}) cannot run TypeScript, which takes 22.18 or newer: use "npx oneoff", which takes the Node of this folder\n`,
  );
  process.exitCode = 1;
}
