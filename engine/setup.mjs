// Gets onto this machine what the project needs, then runs a command:
//   node engine/setup.mjs [--tests] [--check [--json]] [-- command ...]
// Plain JavaScript without dependencies, since it runs when there is nothing yet. When all is there it starts no process
// and takes no lock. A step that fails ends it with one sentence that names the cure.
import { spawn } from "node:child_process";
import { constants } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { CHECKOUT, commandPath, LOG, ROOT } from "./setup/find.mjs";
import { diskFull, Failure, interruption, locked, needSpace, stopOnSignals } from "./setup/process.mjs";
import { steps } from "./setup/steps.mjs";

const USAGE = "node engine/setup.mjs [--tests] [--check [--json]] [-- command ...]";

async function main(argv) {
  const end = argv.includes("--") ? argv.indexOf("--") : argv.length;
  const options = argv.slice(0, end);
  const command = argv.slice(end + 1);
  const unknown = options.find((option) => !["--tests", "--check", "--json"].includes(option));
  if (unknown) throw new Failure(`${unknown} is no option`, USAGE);
  if (Number(process.versions.node.split(".")[0]) < 20) {
    throw new Failure(`Node ${process.versions.node} is too old`, "install Node 20 or newer (https://nodejs.org)");
  }
  if (process.platform === "win32") throw new Failure("Windows itself is not supported", "use WSL (wsl --install)");

  // Whoever asks what a command does has nothing set up for that.
  if (command[0] === "oneoff" && command.some((word) => word === "--help" || word === "-h")) {
    return execute([process.execPath, join(ROOT, "cli/oneoff.mjs"), ...command.slice(1)]);
  }
  const wanted = steps().filter((step) => !step.tests || options.includes("--tests"));
  if (options.includes("--check")) return check(wanted, options.includes("--json"));
  stopOnSignals(true);
  for (const step of wanted) {
    await perform(step);
    await new Promise(setImmediate); // where a signal comes in
    if (interruption()) throw new Error(interruption());
  }
  stopOnSignals(false);
  return command.length > 0 ? execute(command) : 0;
}

async function perform({ name, ready, make, lock, takes, space }) {
  const started = performance.now();
  let state = "ready";
  let detail = ready();
  if (detail === undefined) {
    if (takes) say(name, `${takes} ...`);
    await locked(lock, async () => {
      detail = ready(); // another set-up may have made it meanwhile
      if (detail !== undefined) return;
      if (space) needSpace(dirname(lock), space);
      await make();
      state = "made";
    });
    if (state === "made") detail = ready();
    if (detail === undefined) throw new Failure(`${name} was made and is still not usable`, `see ${LOG}`);
  }
  const seconds = `${((performance.now() - started) / 1000).toFixed(1)} s`;
  say(name, state.padEnd(5), seconds.padStart(8), ` ${detail}`);
}

/** The same steps as lines or as JSON, with nothing changed; returns the exit code. */
function check(wanted, json) {
  const results = wanted.map(({ name, ready }) => {
    try {
      const detail = ready();
      if (detail !== undefined) return { name, ok: true, detail };
      return {
        name,
        ok: false,
        detail: "not set up",
        cure: CHECKOUT ? "node engine/setup.mjs" : "npx --no oneoff setup",
      };
    } catch (error) {
      return { name, ok: false, detail: error.what || error.message, cure: error.cure };
    }
  });
  if (json) console.log(JSON.stringify(results, null, 2));
  else for (const { name, ok, detail, cure } of results) say(name, ok ? "ok     " : "missing", detail, ok ? "" : cure);
  return results.every(({ ok }) => ok) ? 0 : 1;
}

function say(name, ...rest) {
  console.log([name.padEnd(20), ...rest].join(" ").trimEnd());
}

/** Runs the user's command in the foreground and resolves to its exit code. */
function execute([name, ...args]) {
  return new Promise((resolve) => {
    const env = { ...process.env, PATH: commandPath().join(delimiter) };
    const child = spawn(name, args, { cwd: ROOT, stdio: "inherit", env });
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
      process.on(signal, () => {
        // A terminal sends Ctrl-C to the child as well, and to many programs a second one means "at once".
        if (signal !== "SIGINT" || !process.stdin.isTTY) child.kill(signal);
      });
    }
    child.on("error", (error) => {
      console.error(`${name} can't be run: ${error.message}`);
      resolve(127);
    });
    child.on("exit", (code, signal) => resolve(code === null ? 128 + constants.signals[signal] : code));
  });
}

main(process.argv.slice(2)).then(
  (code) => {
    process.exitCode = code;
  },
  (error) => {
    process.exitCode = interruption() ? 128 + constants.signals[interruption()] : 1;
    const shown = error.code === "ENOSPC" ? diskFull() : error;
    if (!interruption()) console.error(`${shown.output || ""}${shown.message}`);
  },
);
