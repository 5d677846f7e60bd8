// A small Node language host for a Pulumi CLI that was built from its Go module. The official download brings its
// own, which is not in that module. Set-up copies this file beside the built CLI, so it belongs to no checkout and takes
// everything it needs from the program's own @pulumi/pulumi.
import { execFileSync, spawn } from "node:child_process";
import { existsSync, realpathSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

// cmd/run ends with this code when it has shown the error itself: the engine must not show it again.
const ERROR_ALREADY_SHOWN = 32;

const engine = process.argv.at(-1);
const { sdk, root } = findSdk(process.cwd());
const sdkRequire = createRequire(realpathSync(sdk)); // a link where pnpm installs; what it needs lies beside the real one
const grpc = sdkRequire("@grpc/grpc-js");
const language = sdkRequire("./proto/language_pb.js");
const plugin = sdkRequire("./proto/plugin_pb.js");
const { Empty } = sdkRequire("google-protobuf/google/protobuf/empty_pb.js");
const { LanguageRuntimeService } = sdkRequire("./proto/language_grpc_pb.js");

let program; // the child process, while one runs

// What is missing here is answered with UNIMPLEMENTED by gRPC, which the engine knows how to live with.
const service = {
  handshake: answer(() => new language.LanguageHandshakeResponse()),
  getPluginInfo: answer(() => new plugin.PluginInfo().setVersion(sdkRequire("./package.json").version)),
  // The engine fetches a provider when its first resource is registered, so none has to be announced.
  getRequiredPlugins: answer(() => new language.GetRequiredPluginsResponse()),
  getRequiredPackages: answer(() => new language.GetRequiredPackagesResponse()),
  about: answer(() => {
    const version = execFileSync(nodeOf(root), ["--version"]).toString().trim();
    return new language.AboutResponse().setExecutable(nodeOf(root)).setVersion(version);
  }),
  run: (call, respond) =>
    run(call.request).then(
      (response) => respond(null, response),
      (error) => respond({ code: grpc.status.INTERNAL, message: error.message }),
    ),
  cancel: answer(() => {
    program?.kill("SIGTERM");
    return new Empty();
  }),
  installDependencies: (call) => {
    const npm = spawn("npm", ["install"], { cwd: call.request.getDirectory(), stdio: ["ignore", "pipe", "pipe"] });
    npm.stdout.on("data", (data) => call.write(new language.InstallDependenciesResponse().setStdout(data)));
    npm.stderr.on("data", (data) => call.write(new language.InstallDependenciesResponse().setStderr(data)));
    npm.on("error", (error) => call.destroy(error));
    npm.on("close", (code) => (code === 0 ? call.end() : call.destroy(new Error(`npm install exited with ${code}`))));
  },
};

/** Runs the program to its end and says how it went. */
function run(request) {
  const options = request.getInfo()?.getOptions()?.toJavaScript() ?? {};
  const flags = {
    monitor: request.getMonitorAddress(),
    engine,
    organization: request.getOrganization(),
    project: request.getProject(),
    "root-directory": request.getInfo()?.getRootDirectory(),
    stack: request.getStack(),
    pwd: request.getPwd(),
    parallel: String(request.getParallel()),
  };
  const args = [
    ...words(options.nodeargs ?? ""),
    sdkRequire.resolve("./cmd/run/index.js"),
    ...Object.entries(flags).flatMap(([name, value]) => (value ? [`--${name}`, value] : [])),
    ...(request.getDryrun() ? ["--dry-run"] : []),
    request.getInfo()?.getEntryPoint() || request.getProgram() || ".",
    ...request.getArgsList(),
  ];
  const env = {
    ...process.env,
    PULUMI_CONFIG: JSON.stringify(Object.fromEntries(request.getConfigMap().entries())),
    PULUMI_CONFIG_SECRET_KEYS: JSON.stringify(request.getConfigsecretkeysList()),
    PULUMI_NODEJS_TYPESCRIPT: String(options.typescript !== false),
  };
  return new Promise((resolve, reject) => {
    // The engine reads this process's output line by line, so the program's goes straight through.
    program = spawn(nodeOf(root), args, { env, stdio: ["ignore", "inherit", "inherit"] });
    program.on("error", reject);
    program.on("exit", (code, signal) => {
      program = undefined;
      const response = new language.RunResponse();
      if (code === ERROR_ALREADY_SHOWN) response.setBail(true);
      else if (signal) response.setError(`The program was ended by ${signal}.`);
      else if (code !== 0) response.setError(`The program exited with code ${code}.`);
      resolve(response);
    });
  });
}

/** The nearest @pulumi/pulumi at or above a folder, and the folder whose node_modules holds it. */
function findSdk(start) {
  for (let root = start; ; root = dirname(root)) {
    const sdk = join(root, "node_modules/@pulumi/pulumi/package.json");
    if (existsSync(sdk)) return { sdk, root };
    if (dirname(root) === root) {
      console.error(`@pulumi/pulumi was not found in ${start} or above it: run npm install there.`);
      process.exit(1);
    }
  }
}

/** The Node that the program's own dependencies bring, when they do: it may be newer than the one on PATH. */
function nodeOf(root) {
  const own = join(root, "node_modules/.bin/node");
  return existsSync(own) ? own : process.execPath;
}

/** Splits options as a shell does, as far as quotes go. */
function words(text) {
  const found = text.match(/(?:"[^"]*"|'[^']*'|[^\s"'])+/g) ?? [];
  return found.map((word) => word.replace(/"([^"]*)"|'([^']*)'/g, "$1$2"));
}

function answer(make) {
  return (_call, respond) => respond(null, make());
}

function stop() {
  program?.kill("SIGTERM");
  process.exit(0);
}

const server = new grpc.Server();
server.addService(LanguageRuntimeService, service);
server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error;
  process.stdout.write(`${port}\n`); // console.log colours numbers under FORCE_COLOR
});
process.on("SIGTERM", stop).on("SIGINT", stop);
// The CLI holds the other end of stdin: when even a killed CLI is gone, nothing may be left running.
process.stdin.on("end", stop).resume();
