/** A real OpenSearch with its security plugin on this machine: TLS, logins and roles. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, globSync, mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { request } from "node:https";
import { dirname, join } from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { unzipSync } from "fflate";
import { software } from "../../provider/software.ts";
import { freePorts } from "../free-port.ts";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const READY_MS = 300_000;
/** Who may do all, as the plugin comes. */
const ADMIN = "admin:admin";
const STORE = "changeit";

const fetched = async (name: string, lock: string): Promise<string> =>
  join((await software.create("", { name, lock: here(lock) })).outs.folder, "lib");

export interface Answer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: what it says is looked at by who asks
  readonly body: any;
}

export class OpenSearch {
  readonly address: string;
  /** Its certificate. */
  readonly ca: string;
  readonly #process: ChildProcess;

  private constructor(address: string, ca: string, process: ChildProcess) {
    this.address = address;
    this.ca = ca;
    this.#process = process;
  }

  /** Starts one in a folder, where an earlier one may have left data, at the same port then. */
  static async start(folder: string, port?: number): Promise<OpenSearch> {
    const [lib, security] = [
      await fetched("opensearch", "opensearch/jars.txt"),
      await fetched("opensearch-security", "opensearch/security.txt"),
    ];
    port ??= await freePorts(2);
    const ca = join(folder, "config/ca.pem");
    if (globSync(ca).length === 0) makeHome(folder, security, port);
    // Without JNA's library it can't tell that it is root's, which it would refuse.
    const native = ["-Djna.nosys=true", "-Djna.nounpack=true", "-Djna.boot.library.path=/nowhere"];
    const java = ["-Xms256m", "-Xmx512m", "-XX:TieredStopAtLevel=1", "-Djava.security.manager=allow", ...native];
    const paths = [`-Dopensearch.path.home=${folder}`, `-Dopensearch.path.conf=${join(folder, "config")}`];
    const words = [...java, ...paths, "-cp", join(lib, "*"), "org.opensearch.bootstrap.OpenSearch"];
    const log = openSync(join(folder, "log"), "a");
    const process = spawn("java", words, { stdio: ["ignore", log, log], cwd: folder });
    const one = new OpenSearch(`https://127.0.0.1:${port}`, ca, process);
    for (const end = Date.now() + READY_MS; !(await one.#isReady()); await sleep(500)) {
      if (process.exitCode === null && Date.now() < end) continue;
      process.kill("SIGKILL");
      throw new Error(`OpenSearch did not start:\n${readFileSync(join(folder, "log"), "utf8").slice(-4000)}`);
    }
    return one;
  }

  async #isReady(): Promise<boolean> {
    try {
      return (await this.ask("GET", "/_cluster/health")).status === 200;
    } catch {
      return false;
    }
  }

  /** Asks it something, as somebody. */
  async ask(method: string, path: string, body?: object, login = ADMIN): Promise<Answer> {
    const headers = { "Content-Type": "application/json" };
    const asked = request(`${this.address}${path}`, { method, headers, auth: login, ca: readFileSync(this.ca) });
    asked.end(body && JSON.stringify(body));
    const [answer] = await once(asked, "response");
    const content = await text(answer);
    const isJson = answer.headers["content-type"]?.includes("json");
    return { status: answer.statusCode, body: isJson ? JSON.parse(content) : content };
  }

  /** What it does, and fails where it doesn't. */
  async must(method: string, path: string, body?: object): Promise<Answer["body"]> {
    const answer = await this.ask(method, path, body);
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer.body;
  }

  /** Makes somebody who may write an index and its template, and nothing else; returns the login. */
  async addWriter(name: string, index: string): Promise<string> {
    const login = "Kq7-vollkommen-ausgedacht";
    await this.must("PUT", `/_plugins/_security/api/roles/${name}`, {
      cluster_permissions: ["cluster_manage_index_templates", "indices:data/write/bulk"],
      index_permissions: [{ index_patterns: [index], allowed_actions: ["create_index", "manage", "write"] }],
    });
    await this.must("PUT", `/_plugins/_security/api/internalusers/${name}`, { password: login });
    await this.must("PUT", `/_plugins/_security/api/rolesmapping/${name}`, { users: [name] });
    return `${name}:${login}`;
  }

  async stop(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    this.#process.kill(signal);
    await once(this.#process, "exit");
  }
}

function makeHome(folder: string, security: string, port: number): void {
  const plugin = join(folder, "plugins/opensearch-security");
  const config = join(folder, "config/opensearch-security");
  for (const name of ["bin", "modules", "extensions", "agent", "config"]) {
    mkdirSync(join(folder, name), { recursive: true });
  }
  const [archive] = globSync(join(security, "*.zip")) as [string];
  for (const [name, content] of Object.entries(unzipSync(readFileSync(archive)))) {
    if (name.endsWith("/")) continue;
    mkdirSync(dirname(join(plugin, name)), { recursive: true });
    writeFileSync(join(plugin, name), content);
  }
  cpSync(join(plugin, "config"), config, { recursive: true });

  const at = (name: string) => join(folder, "config", name);
  const stored = (name: string) => [
    "-keystore",
    at(name),
    "-storetype",
    "PKCS12",
    "-storepass",
    STORE,
    "-alias",
    "node",
  ];
  const certificate = ["-keyalg", "RSA", "-dname", "CN=node", "-ext", "SAN=IP:127.0.0.1,DNS:localhost"];
  for (const words of [
    ["-genkeypair", ...stored("keys.p12"), ...certificate, "-validity", "2"],
    ["-exportcert", "-rfc", ...stored("keys.p12"), "-file", at("ca.pem")],
    ["-importcert", "-noprompt", ...stored("trusted.p12"), "-file", at("ca.pem")],
  ])
    execFileSync("keytool", words, { stdio: "ignore" });

  const tls = (layer: string) => ({
    [`plugins.security.ssl.${layer}.keystore_type`]: "PKCS12",
    [`plugins.security.ssl.${layer}.keystore_filepath`]: "keys.p12",
    [`plugins.security.ssl.${layer}.keystore_password`]: STORE,
    [`plugins.security.ssl.${layer}.truststore_type`]: "PKCS12",
    [`plugins.security.ssl.${layer}.truststore_filepath`]: "trusted.p12",
    [`plugins.security.ssl.${layer}.truststore_password`]: STORE,
  });
  const settings = {
    "discovery.type": "single-node",
    "network.host": "127.0.0.1",
    "http.port": port,
    "transport.port": port + 1,
    "path.data": join(folder, "data"),
    "path.logs": join(folder, "logs"),
    "cluster.routing.allocation.disk.threshold_enabled": false,
    ...tls("transport"),
    ...tls("http"),
    "plugins.security.ssl.http.enabled": true,
    "plugins.security.ssl.transport.enforce_hostname_verification": false,
    "plugins.security.allow_default_init_securityindex": true,
    "plugins.security.nodes_dn": ["CN=node"],
    "plugins.security.restapi.roles_enabled": ["all_access"],
  };
  const lines = Object.entries(settings).map(([name, value]) => `${name}: ${JSON.stringify(value)}\n`);
  writeFileSync(join(folder, "config/opensearch.yml"), lines.join(""));
  writeFileSync(
    join(folder, "config/log4j2.properties"),
    [
      "appender.console.type = Console",
      "appender.console.name = console",
      "appender.console.layout.type = PatternLayout",
      "appender.console.layout.pattern = [%d{ISO8601}][%-5p][%c{1.}] %m%n",
      "rootLogger.level = warn",
      "rootLogger.appenderRef.console.ref = console\n",
    ].join("\n"),
  );
}
