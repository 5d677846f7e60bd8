import { realpathSync } from "node:fs";
import { readFile } from "node:fs/promises";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { createAdaptorServer } from "@hono/node-server";
import { UsageError } from "../../core/errors.ts";
import { dashboardApp } from "./app.ts";
import { checkConfig, type DashboardConfig, parseConfig } from "./config.ts";
import type { QueryEngine } from "./engine.ts";
import { EventStreams } from "./events.ts";
import { Feeds } from "./feeds.ts";
import { log, logTo } from "./log.ts";
import { PageFiles, pageFolder } from "./page-files.ts";
import { Rows } from "./rows.ts";
import { LakeWatch } from "./watch.ts";

/** A dashboard that is being served. */
export interface Dashboard {
  readonly url: string;
  readonly port: number;
  /** How many pages are told of changes at this moment. */
  readonly listeners: number;
  close(): Promise<void>;
}

/**
 * Serves a job's panels on this machine.
 *
 * @param given a {@link DashboardConfig}; it is checked, as it mostly comes out of a file.
 * @param address listened on. Only a container, from which no more than a port of 127.0.0.1 leads here, has another.
 * @throws UsageError when it is not one, or the port is taken.
 */
export async function serve(given: unknown, address = "127.0.0.1"): Promise<Dashboard> {
  const config = checkConfig(given);
  const engine = await engineOf(config);
  const watch = new LakeWatch(engine);
  const feeds = new Feeds(config.job.panels);
  const streams = new EventStreams(watch, feeds);
  const rows = new Rows(engine);
  const page = new PageFiles(config.page ?? pageFolder());
  // Hono's adapter declares three kinds of server; without options it makes this one.
  const server = createAdaptorServer({
    fetch: dashboardApp({ config, engine, page, rows, streams, feeds }).fetch,
  }) as Server;
  const port = await listen(server, config.port, address);
  return {
    url: `http://127.0.0.1:${port}/`,
    port,
    get listeners() {
      return watch.listeners;
    },
    async close() {
      streams.close();
      feeds.close();
      rows.close();
      await closed(server);
      await engine.close();
    },
  };
}

/** Only the engine that is asked for is loaded: the others' packages need not be there. */
async function engineOf({ engine, job }: DashboardConfig): Promise<QueryEngine> {
  switch (engine.kind) {
    case "duckdb": {
      const { DuckDbEngine } = await import("./engines/duckdb/engine.ts");
      return new DuckDbEngine({ lake: engine.lake, job });
    }
    case "athena": {
      const { AthenaEngine } = await import("./engines/athena/engine.ts");
      return new AthenaEngine({ ...engine, job });
    }
    case "bigquery": {
      const { BigQueryEngine } = await import("./engines/bigquery/engine.ts");
      return new BigQueryEngine({ ...engine, job });
    }
  }
}

function listen(server: Server, port: number, address: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) =>
      reject(error.code === "EADDRINUSE" ? new UsageError(`port is ${port}: another program has it`) : error),
    );
    server.listen(port, address, () => resolve((server.address() as AddressInfo).port));
  });
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

/** A container has its configuration in the environment: no file can be put into a read-only one. */
async function readConfig(file: string | undefined): Promise<DashboardConfig> {
  const given = process.env.ONEOFF_DASHBOARD;
  if (given !== undefined) return parseConfig(given, "ONEOFF_DASHBOARD");
  if (!file) throw new UsageError("give the configuration: node server.ts config.json");
  return parseConfig(await readFile(file, "utf8"), file);
}

async function main(file: string | undefined): Promise<void> {
  const config = await readConfig(file);
  // A service's standard output is its journal.
  if (config.engine.kind !== "duckdb") logTo(process.stdout);
  const dashboard = await serve(config, process.env.ONEOFF_DASHBOARD_ADDRESS);
  log(`The dashboard is at ${dashboard.url}`);
  const end = (signal: string) => {
    log(`Ending on ${signal}`);
    void dashboard.close().then(() => process.exit(0));
  };
  for (const signal of ["SIGTERM", "SIGINT"]) process.once(signal, end);
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  main(process.argv[2]).catch((error: Error) => {
    log(
      error instanceof UsageError ? error.message : "The dashboard could not start",
      ...(error instanceof UsageError ? [] : [error]),
    );
    process.exit(error instanceof UsageError ? 2 : 1);
  });
}
