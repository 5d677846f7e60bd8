/** AWS's control plane on this machine (https://docs.getmoto.org): answers like AWS, and runs nothing. */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

export interface Moto {
  readonly url: string;
  /** Environment with which an AWS SDK talks to it. */
  readonly env: Readonly<Record<string, string>>;
  /** Takes away everything that was made. */
  reset(): Promise<void>;
  /**
   * The answers to the next Athena queries, in order; each is a list of rows, the columns first: a name, or a name and a
   * type ("n bigint").
   */
  queueAthena(...results: readonly (readonly (readonly (string | null)[])[])[]): Promise<void>;
  close(): void;
}

/** Starts it on a free port, and sets this process's environment so that AWS SDK clients find it. */
export async function startMoto(region = "us-west-2"): Promise<Moto> {
  const command = fileURLToPath(new URL("../.oneoff/venv/bin/moto_server", import.meta.url));
  const child = spawn(command, ["-H", "127.0.0.1", "-p", "0"], { stdio: ["ignore", "ignore", "pipe"] });
  const lines = createInterface(child.stderr);
  const url = await new Promise<string>((resolve, reject) => {
    lines.on("line", (line) => {
      const found = /Running on (http:\/\/127\.0\.0\.1:\d+)/.exec(line);
      if (found) resolve(found[1] as string);
    });
    child.once("exit", (code) => reject(new Error(`moto_server ended with ${code}`)));
  });
  const env = {
    AWS_ENDPOINT_URL: url,
    AWS_REGION: region,
    AWS_DEFAULT_REGION: region,
    AWS_ACCESS_KEY_ID: "testing",
    AWS_SECRET_ACCESS_KEY: "testing",
    AWS_EC2_METADATA_DISABLED: "true",
  };
  Object.assign(process.env, env);
  const post = async (path: string, body?: unknown) => {
    const response = await fetch(`${url}/moto-api/${path}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  };
  return {
    url,
    env,
    reset: () => post("reset"),
    queueAthena: (...results) =>
      post("static/athena/query-results", {
        account_id: "123456789012",
        region,
        results: results.map(([header = [], ...rows]) => {
          const columns = header.map((cell) => (cell ?? "").split(" "));
          return {
            rows: [columns.map(([name = ""]) => name), ...rows].map((row) => ({
              Data: row.map((value) => (value === null ? {} : { VarCharValue: value })),
            })),
            column_info: columns.map(([name = "", type]) => column(name, type)),
          };
        }),
      }),
    close() {
      child.removeAllListeners("exit");
      child.kill();
    },
  };
}

const column = (name: string, type = "varchar") => ({
  CatalogName: "hive",
  SchemaName: "",
  TableName: "",
  Name: name,
  Label: name,
  Type: type,
  Precision: 2147483647,
  Scale: 0,
  Nullable: "UNKNOWN",
  CaseSensitive: true,
});
