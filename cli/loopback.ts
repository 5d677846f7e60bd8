import { get as httpGet } from "node:http";
import { get as httpsGet } from "node:https";
import { createServer } from "node:net";
import { UsageError } from "../core/errors.ts";

/** The port that was asked for, else the page's own or the next that is free. */
export async function freePort(asked: number | undefined, own: number): Promise<number> {
  if (asked !== undefined) {
    if (await isFree(asked)) return asked;
    throw new UsageError(`--port is ${asked}: another program listens on it; choose another`);
  }
  for (let port = own; port < own + 100; port++) if (await isFree(port)) return port;
  throw new UsageError(`no port from ${own} to ${own + 99} is free: choose one with --port`);
}

/** Whether nobody listens on a port of 127.0.0.1. */
export const isFree = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", () => resolve(false));
    probe.listen(port, "127.0.0.1", () => probe.close(() => resolve(true)));
  });

/** The status with which a port of this machine answers; undefined when it doesn't. */
export function probe(url: string): Promise<number | undefined> {
  const get = url.startsWith("https:") ? httpsGet : httpGet;
  // A cluster's certificate signs itself, for its own hosts. This asks only whether somebody is there and sends nothing,
  // and what leads there is the connection.
  const options = { rejectUnauthorized: false, agent: false, signal: AbortSignal.timeout(5000) };
  return new Promise((resolve) => {
    get(url, options, (response) => {
      resolve(response.statusCode);
      response.destroy();
    })
      .once("upgrade", ({ statusCode }, socket) => {
        resolve(statusCode);
        socket.destroy();
      })
      .once("error", () => resolve(undefined));
  });
}

/** Whether an address is one of this machine's loopback. */
export const isLoopback = (url: string): boolean =>
  /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(new URL(url).hostname);
