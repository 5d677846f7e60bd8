/**
 * Runs the dashboard in its instance's container, and keeps it at the release that the lake names. Every minute it looks at
 *
 *   gs://BUCKET/PREFIX/current    the digest of the release to run
 *   gs://BUCKET/PREFIX/DIGEST/    its files: index.mjs, config.json, page/
 *
 * A release is there whole or not at all. One that does not answer is taken back and not tried again, unless there is
 * none to go back to. When the dashboard ends by itself so does this program, and systemd starts both anew.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const { env } = process;
const { ONEOFF_SOURCE: source = "", ONEOFF_HOME: home = "", ONEOFF_LOOK = 60, ONEOFF_PATIENCE = 30 } = env;
const [, bucket = "", prefix = ""] = /^gs:\/\/([^/]+)\/(.+)$/.exec(source) ?? [];
const storage = env.CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE ?? "https://storage.googleapis.com";
const objects = `${storage}/storage/v1/b/${bucket}/o`;
const metadata = `http://${env.GCE_METADATA_HOST ?? "169.254.169.254"}/computeMetadata/v1`;

const say = (text) => console.log(`bootstrap: ${text}`);

/** @throws Error when it is not answered, or refused. */
async function get(url, headers, timeout = 60_000) {
  const answer = await fetch(url, { headers, signal: AbortSignal.timeout(timeout) }).catch((error) => {
    throw new Error(`${url}: ${error.cause?.message ?? error.message}`);
  });
  if (!answer.ok) throw new Error(`${url}: HTTP ${answer.status} ${(await answer.text()).trim().slice(0, 200)}`);
  return answer;
}

let token = { text: "", until: 0 };
async function getStored(path) {
  if (Date.now() > token.until) {
    const answer = await get(`${metadata}/instance/service-accounts/default/token`, { "Metadata-Flavor": "Google" });
    const { access_token, expires_in } = await answer.json();
    token = { text: access_token, until: Date.now() + (expires_in - 60) * 1000 };
  }
  return get(`${objects}${path}`, { Authorization: `Bearer ${token.text}` }).catch((error) => {
    token = { text: "", until: 0 }; // it may be what was refused
    throw error;
  });
}
const content = (name) => getStored(`/${encodeURIComponent(name)}?alt=media`);

/** Has the release in a folder of its own. @throws Error when it can't be had whole. */
async function download(release) {
  const folder = join(home, release);
  if (existsSync(folder)) return;
  const part = `${folder}.new`;
  await rm(part, { recursive: true, force: true });
  const below = `${prefix}/${release}/`;
  // A release has a dozen objects, and a page of the listing a thousand.
  const { items = [] } = await (await getStored(`?prefix=${encodeURIComponent(below)}`)).json();
  for (const { name } of items) {
    const path = name.slice(below.length);
    if (!/^\w[\w.-]*(\/\w[\w.-]*)*$/.test(path)) throw new Error(`${name} is no file of a release`);
    await mkdir(dirname(join(part, path)), { recursive: true });
    await writeFile(join(part, path), Buffer.from(await (await content(name)).arrayBuffer()));
  }
  for (const path of ["index.mjs", "config.json", "page/index.html"]) {
    const { size } = await stat(join(part, path)).catch(() => ({ size: 0 }));
    if (size === 0) throw new Error(`release ${release} lacks ${path}; keeping what there is`);
  }
  await rename(part, folder);
}

let running; // the dashboard's process; `isGood` once it has answered
let over = Promise.resolve();
let ending = false;

function start(release, isGood = false) {
  if (ending) throw new Error("ending");
  const folder = join(home, release);
  const server = [join(folder, "index.mjs"), join(folder, "config.json")];
  const child = spawn(process.execPath, server, { cwd: folder, stdio: ["ignore", "inherit", "inherit"] });
  const mine = { child, isGood, exit: once(child, "exit") };
  running = mine;
  void mine.exit.then(([code, signal]) => {
    if (running !== mine) return;
    say(`release ${release} ended with ${code ?? signal}`);
    if (mine.isGood) process.exit(1);
  });
}

function end() {
  if (!running) return over;
  const { child, exit } = running;
  running = undefined;
  child.kill("SIGTERM");
  const late = setTimeout(() => child.kill("SIGKILL"), 10_000);
  over = exit.then(() => clearTimeout(late));
  return over;
}

/** Whether what was started answers in time. */
async function answers({ child }) {
  const until = Date.now() + Number(ONEOFF_PATIENCE) * 1000;
  while (Date.now() < until && child.exitCode === null && child.signalCode === null) {
    const answer = await get(`http://127.0.0.1:${env.ONEOFF_PORT}/api/identity`, {}, 5000).catch(() => undefined);
    if ((await answer?.text())?.includes('"oneoff-dashboard"')) return true;
    await sleep(200);
  }
  return false;
}

const kept = { good: "", bad: "" }; // the release that last answered, and the one that last did not
async function keep(change) {
  const file = join(home, "kept.json");
  await writeFile(`${file}.new`, JSON.stringify(Object.assign(kept, change)));
  await rename(`${file}.new`, file); // whole, whenever this program ends
}

/** Brings the dashboard to the release that is wanted, if it is another one. */
async function look() {
  const wanted = (await (await content(`${prefix}/current`)).text()).trim();
  if (!/^[0-9a-z]{6,64}$/.test(wanted)) throw new Error(`${source}/current is "${wanted}", which is no digest`);
  const { good, bad } = kept;
  if (wanted === bad || (wanted === good && running)) return;
  await download(wanted);
  say(`starting release ${wanted}`);
  await end(); // there is one port
  start(wanted);
  if (await answers(running)) {
    running.isGood = true;
    await keep({ good: wanted, bad: "" });
    say(`release ${wanted} runs`);
    // The one before stays, to go back to without a download.
    const others = (await readdir(home)).filter((name) => ![wanted, good, "kept.json"].includes(name));
    for (const name of others) await rm(join(home, name), { recursive: true });
  } else if (good && good !== wanted) {
    say(`release ${wanted} does not answer; going back to ${good}`);
    await end();
    start(good, true);
    await keep({ bad: wanted });
    await rm(join(home, wanted), { recursive: true });
  } else say(`release ${wanted} does not answer yet, and there is no other`);
}

process.once("SIGTERM", async () => {
  ending = true;
  await end();
  process.exit(0);
});
const before = await readFile(join(home, "kept.json"), "utf8").catch(() => "");
if (/^\{.*\}$/.test(before)) Object.assign(kept, JSON.parse(before));
if (kept.good && existsSync(join(home, kept.good))) start(kept.good, true);
// Sooner while nothing runs: at first its access may not be granted everywhere yet.
for (let last; ; await sleep(Number(ONEOFF_LOOK) * (running ? 1000 : 100))) {
  const problem = (await look().catch((error) => error))?.message;
  if (problem && problem !== last) say(problem);
  last = problem;
}
