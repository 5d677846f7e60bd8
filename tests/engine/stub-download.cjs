// Stands in for lib/download.js of the npm package `pulumi`: there is nothing to be had, unless $FAKE_DOWNLOAD says so.
const fs = require("node:fs");

exports.installCLI = async (version, root) => {
  if (process.env.FAKE_DOWNLOAD !== "works") throw new Error("fetch failed");
  fs.writeFileSync(`${root}/bin/pulumi`, `#!/bin/sh\necho v${version}\n`, { mode: 0o755 });
  fs.writeFileSync(`${root}/bin/pulumi-language-nodejs`, Buffer.alloc(2_000_000), { mode: 0o755 });
};
