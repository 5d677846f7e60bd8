// The container runs `node --input-type=module -e TEXT BUCKET PROGRAM_KEY LAUNCH_KEY`: the orchestrator, fetched from the lake.
// Access to that was granted a moment ago, which takes minutes to be so, and Cloud Run starts a task a few times only.
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";

const { CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE: storage = "https://storage.googleapis.com", ...env } = process.env;
const account = `http://${env.GCE_METADATA_HOST ?? "169.254.169.254"}/computeMetadata/v1/instance/service-accounts/default`;
const [until, pause] = [Date.now() + Number(env.ONEOFF_PATIENCE ?? 720) * 1000, Number(env.ONEOFF_PAUSE ?? 5) * 1000];
const [, bucket, ...keys] = process.argv;
const folder = await mkdtemp(join(tmpdir(), "orchestrator-"));
const paths = ["index.mjs", "launch.json"].map((name) => join(folder, name));
// Linux doesn't end a container's first process by it. The program has its own way to end.
process.on("SIGTERM", () => process.listenerCount("SIGTERM") > 1 || process.exit(143));
async function get(url, headers) {
  const answer = await fetch(url, { headers, signal: AbortSignal.timeout(60_000) });
  const body = Buffer.from(await answer.arrayBuffer());
  if (answer.ok) return body;
  const why = `${new URL(url).host} answers ${answer.status}: ${`${body}`.replace(/\s+/g, " ").trim().slice(0, 300)}`;
  throw Object.assign(new Error(why), { isFinal: !/^(401|403|404|408|429|5..)$/.test(answer.status) });
}
async function stored(key) {
  const url = `${storage}/storage/v1/b/${bucket}/o/${encodeURIComponent(key)}?alt=media`;
  if (url.startsWith("http:")) return get(url, {}); // an emulator, and a token never goes in the clear
  const { access_token: token } = JSON.parse(await get(`${account}/token`, { "Metadata-Flavor": "Google" }));
  return get(url, { Authorization: `Bearer ${token}` });
}
async function patiently(key) {
  return stored(key).catch(async (error) => {
    if (!error.isFinal && Date.now() < until) return sleep(pause).then(() => patiently(key));
    const message = `gs://${bucket}/${key} can't be had: ${error.cause?.message ?? error.message}`;
    console.log(JSON.stringify({ severity: "ERROR", message }));
    process.exit(1);
  });
}
for (const [at, path] of paths.entries()) await writeFile(path, await patiently(keys[at]));
process.argv.splice(1, process.argv.length, ...paths);
await import(pathToFileURL(paths[0]));
