/** Pages that are opened through a connection of the command: the places are fakes, whose connections listen themselves. */
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { createServer as createTcpServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeEach, expect, test, vi } from "vitest";
import { openRoute, stayConnected, type Times } from "../../cli/connect.ts";
import { isFree } from "../../cli/loopback.ts";
import type { Connection, Place, Route, Tunnel } from "../../cli/platform.ts";
import { TransientError, UsageError } from "../../core/errors.ts";
import { freePort } from "../free-port.ts";

const TIMES: Times = { place: 250, look: 10, quiet: 50, pause: 30 };

const scratch = mkdtempSync(join(tmpdir(), "oneoff-connect-"));
afterAll(() => rmSync(scratch, { recursive: true, maxRetries: 5 })); // a browser may be late

let folder: string;
let localPort: number;
let printed: string[];
let stop: AbortController;
const open = new Set<Connection>();

beforeEach(async () => {
  folder = mkdtempSync(join(scratch, "test-"));
  writeFileSync(join(folder, "open"), `#!/bin/sh\necho "$1" >> '${join(folder, "browser")}'\n`, { mode: 0o755 });
  vi.stubEnv("BROWSER", join(folder, "open"));
  printed = [];
  vi.spyOn(console, "log").mockImplementation((line) => void printed.push(line.replace(/ \(\d+ s\)$/, "")));
  localPort = await freePort();
  stop = new AbortController();
});
afterEach(async () => {
  const left = open.size;
  for (const connection of open) await connection.end();
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  expect(left).toBe(0);
  expect(await isFree(localPort)).toBe(true);
});

const opened = () =>
  existsSync(join(folder, "browser")) ? readFileSync(join(folder, "browser"), "utf8").trim().split("\n") : [];

/** What a page answers; undefined where nothing is behind the connection. */
type Answers = (asked: number, path: string | undefined) => number | undefined;
const fine: Answers = () => 200;
const silent: Answers = () => undefined;

interface Fake extends Connection {
  /** Ends it as the network would. */
  cut(reason: string): void;
}

/** A connection that listens on a port of this machine until it is ended. */
async function listen(port: number, answers: Answers): Promise<Fake> {
  let asked = 0;
  const server = createServer((request, response) => {
    const status = answers(asked++, request.url);
    if (status === undefined) request.destroy();
    else response.writeHead(status).end();
  }).listen(port, "127.0.0.1");
  await once(server, "listening");
  let told = "it was ended";
  const ended = new Promise<string>((resolve) => server.once("close", () => resolve(told)));
  const close = () => {
    server.close();
    server.closeAllConnections();
  };
  const connection: Fake = {
    ended,
    cut(reason) {
      told = reason;
      close();
    },
    async end() {
      close();
      await ended;
    },
  };
  open.add(connection);
  void ended.then(() => open.delete(connection));
  return connection;
}

/** A place that is connected to as it is told, one time after another, and from then on as at the last. */
function placeOf(port: number, ...times: readonly (Answers | Error)[]) {
  const connections: Fake[] = [];
  const ports: number[] = [];
  const place: Place = {
    scheme: "http",
    port,
    async connect(local) {
      const next = times[Math.min(ports.length, times.length - 1)] as Answers | Error;
      ports.push(local);
      if (next instanceof Error) throw next;
      const connection = await listen(local, next);
      connections.push(connection);
      return connection;
    },
  };
  return { ...place, connections, ports };
}
const not = (message: string) => new TransientError(message);

const ROUTE: Route = { title: "Dashboard", url: "http://10.0.0.1:8765/" };
const tunnelTo = (places: Tunnel["places"], more: Partial<Tunnel> = {}): Tunnel => ({
  ...{ places, host: "i-1", patienceMs: 20_000, probe: "/api/identity", advice: "look at its console" },
  ...more,
});
const stay = (tunnel: Tunnel, route = ROUTE, times = TIMES) =>
  stayConnected(route, tunnel, localPort, stop.signal, times);
/** Waits for a line that is printed, which is that or begins so. */
const says = (line: string, often = 1) =>
  expect.poll(() => printed.filter((text) => text.startsWith(line)).length, { interval: 5 }).toBe(often);

test("what answers is shown and opened, until it is stopped", async () => {
  const place = placeOf(8765, fine);
  const route = {
    ...{ title: "JupyterLab", url: "http://10.0.0.1:8888/lab", notes: ["It asks for a password."] },
    browse: (url: string) => `${url}?token=t0ken`,
  };
  const over = stay(tunnelTo([place]), route);
  await says("Ctrl-C");
  expect(await isFree(localPort)).toBe(false);
  stop.abort();
  await over;
  expect(printed).toEqual([
    `JupyterLab: http://127.0.0.1:${localPort}/lab`,
    "It asks for a password.",
    "Ctrl-C closes the connection.",
  ]);
  await expect.poll(opened).toEqual([`http://127.0.0.1:${localPort}/lab?token=t0ken`]);
  expect(place.ports).toEqual([localPort]);
});

test("where the first place is silent the second is tried, and stays where it is by", async () => {
  const [first, second] = [placeOf(8090, silent), placeOf(8088, fine)];
  const began = Date.now();
  const over = stay(tunnelTo([first, second]));
  await says(`Dashboard: http://127.0.0.1:${localPort}`);
  expect(Date.now() - began).toBeGreaterThanOrEqual(TIMES.place);
  for (const often of [1, 2]) {
    second.connections.at(-1)?.cut("Session timed out");
    await says("It is connected again.", often);
  }
  stop.abort();
  await over;
  expect([first.ports, second.ports]).toEqual([[localPort], [localPort, localPort, localPort]]);
  expect(printed).toEqual([
    "Waiting for i-1: it is connected, and its page doesn't answer yet",
    "Waiting for i-1: there is no answer on port 8090 or 8088",
    `Dashboard: http://127.0.0.1:${localPort}`,
    "Ctrl-C closes the connection.",
    ...Array(2)
      .fill(["The connection has ended (Session timed out); connecting again", "It is connected again."])
      .flat(),
  ]);
  await expect.poll(opened).toEqual([`http://127.0.0.1:${localPort}`]);
});

test("places take turns", async () => {
  const [first, second] = [placeOf(8090, not("not yet"), fine), placeOf(8088, not("not yet"))];
  const over = stay(tunnelTo([first, second]));
  await says("Dashboard");
  stop.abort();
  await over;
  expect([first.ports.length, second.ports.length]).toEqual([2, 1]);
});

test("what can't be connected yet is tried again after a while, and it is said what it waits for", async () => {
  const place = placeOf(8765, not("TargetNotConnected"), not("TargetNotConnected"), not("no route"), fine);
  const began = Date.now();
  const over = stay(tunnelTo([place]));
  await says("Dashboard");
  expect(Date.now() - began).toBeGreaterThanOrEqual(3 * TIMES.pause - 5);
  stop.abort();
  await over;
  expect(printed.slice(0, 2)).toEqual(["Waiting for i-1: TargetNotConnected", "Waiting for i-1: no route"]);
  expect(place.ports).toHaveLength(4);
});

test("what the host is at is asked before each connection, and told with why there is none", async () => {
  const states = ["the instance is starting", "the instance is running"];
  const place = placeOf(8765, not("no route"), fine);
  const over = stay(tunnelTo([place], { state: async () => states.shift() ?? "asked too often" }));
  await says("Dashboard");
  stop.abort();
  await over;
  expect(states).toEqual([]);
  expect(printed[0]).toBe("Waiting for i-1: the instance is starting, and its page doesn't answer yet (no route)");
});

test("any other error ends it, whether of the connection or of the host", async () => {
  const denied = new UsageError("AWS doesn't allow it");
  await expect(stay(tunnelTo([placeOf(8765, denied)]))).rejects.toBe(denied);
  const place = placeOf(8765, fine);
  const stopped = new UsageError("the instance is stopped");
  await expect(stay(tunnelTo([place], { state: () => Promise.reject(stopped) }))).rejects.toBe(stopped);
  expect(place.ports).toEqual([]);
  expect(printed).toEqual([]);
});

/** Connected, and over at once. */
const endsWith = (reason: string) => async (): Promise<Connection> => ({
  ended: Promise.resolve(reason),
  async end() {},
});
function placeThatEnds(reason: string, ...then: readonly (Answers | Error)[]) {
  const later = placeOf(8765, ...then);
  let isFirst = true;
  const connect = (port: number) => {
    if (!isFirst) return later.connect(port);
    isFirst = false;
    return endsWith(reason)();
  };
  return { ...later, connect };
}

test("why it will never be connected is asked at first, and ends it", async () => {
  const asked: unknown[] = [];
  const never = new UsageError("you may not");
  const whyNever = (...args: unknown[]) => {
    asked.push(args);
    return args[0] === "Permission denied" ? never : undefined;
  };
  await expect(stay(tunnelTo([placeOf(8765, not("no route"), not("Permission denied"))], { whyNever }))).rejects.toBe(
    never,
  );
  expect(asked).toEqual([
    ["no route", true],
    ["Permission denied", true],
  ]);
  await expect(stay(tunnelTo([placeThatEnds("Permission denied", fine)], { whyNever }))).rejects.toBe(never);
  expect(printed).toEqual(["Waiting for i-1: no route"]);
});

test("later it is said that this is later: the network may have gone for a while", async () => {
  const place = placeOf(8765, fine, not("no route"), fine);
  const asked: unknown[] = [];
  const whyNever = (problem: string, isFirst: boolean) => {
    asked.push([problem, isFirst]);
    return isFirst ? new UsageError("never") : undefined;
  };
  const over = stay(tunnelTo([place], { whyNever }));
  await says("Dashboard");
  place.connections[0]?.cut("reset");
  await says("It is connected again.");
  stop.abort();
  await over;
  expect(asked).toEqual([["no route", false]]);
});

test("a page that is silent is not a connection that fails", async () => {
  const whyNever = vi.fn(() => new UsageError("ssh must work"));
  const tunnel = tunnelTo([placeOf(8765, silent)], { whyNever, patienceMs: 100 });
  await expect(stay(tunnel)).rejects.toThrow(/^Dashboard didn't answer within 0 s: there is no answer on port 8765; /);
  expect(whyNever).not.toHaveBeenCalled();
});

test("a connection that ended is followed by another, for longer than there was patience at first", async () => {
  const place = placeOf(8765, fine, ...Array(6).fill(not("no network")), silent, fine);
  const over = stay(tunnelTo([place], { patienceMs: 100 }));
  await says("Dashboard");
  const began = Date.now();
  place.connections[0]?.cut("Connection reset by peer");
  await expect.poll(() => place.connections.length, { interval: 5 }).toBe(2);
  expect(Date.now() - began).toBeGreaterThan(150);
  await sleep(150); // silent, and patience would be over
  place.connections[1]?.cut("reset once more");
  await says("It is connected again.");
  stop.abort();
  await over;
  expect(printed.slice(2)).toEqual([
    "The connection has ended (Connection reset by peer); connecting again",
    "Waiting for i-1: no network",
    "Waiting for i-1: it is connected, and its page doesn't answer yet",
    "Waiting for i-1: reset once more",
    "It is connected again.",
  ]);
  await expect.poll(opened).toHaveLength(1);
});

test("who answers in the place of a connection that has ended is another program", async () => {
  const other = await listen(localPort, fine);
  const tunnel = tunnelTo([placeThatEnds("bind: Address already in use", not("bind: Address already in use"))]);
  await expect(stay({ ...tunnel, patienceMs: 60 })).rejects.toThrow("within 0 s: bind: Address already in use; look");
  await other.end();
  expect(opened()).toEqual([]);
});

const LONG: Times = { place: 60_000, look: 60_000, quiet: 60_000, pause: 60_000 };

test("stopped before, nothing is connected", async () => {
  const place = placeOf(8765, fine);
  stop.abort();
  await stay(tunnelTo([place]));
  expect(place.ports).toEqual([]);
});

test("stopped while the host is asked, nothing is connected", async () => {
  const place = placeOf(8765, fine);
  const state = async () => {
    stop.abort();
    return "the instance is starting";
  };
  await stay(tunnelTo([place], { state }));
  expect(place.ports).toEqual([]);
  expect(printed).toEqual([]);
});

test("stopped while it connects, the connection is ended once it is there", async () => {
  const place = placeOf(8765, fine);
  const connect = (port: number) => {
    stop.abort();
    return place.connect(port);
  };
  await stay(tunnelTo([{ ...place, connect }]));
  expect(place.connections).toHaveLength(1);
  expect(printed).toEqual([]);
});

test("stopped while it connects in vain, nothing is said of that", async () => {
  const whyNever = vi.fn(() => new UsageError("never"));
  const connect = () => {
    stop.abort();
    return Promise.reject(not("interrupted"));
  };
  await stay(tunnelTo([{ ...placeOf(8765, fine), connect }], { whyNever }));
  expect(whyNever).not.toHaveBeenCalled();
  expect(printed).toEqual([]);
});

test("stopped while it waits to try again, that is at once", async () => {
  const over = stay(tunnelTo([placeOf(8765, not("no route"))]), ROUTE, { ...LONG, place: 60_001 });
  await says("Waiting for i-1: no route");
  stop.abort();
  await over;
  expect(printed).toHaveLength(1);
});

test("stopped while the page is silent, at once too", async () => {
  const place = placeOf(8765, silent);
  const over = stay(tunnelTo([place]), ROUTE, LONG);
  await expect.poll(() => place.connections.length).toBe(1);
  await sleep(50);
  stop.abort();
  await over;
  expect(printed).toEqual([]);
});

test("stopped while the page answers, it is not shown any more", async () => {
  const answers = () => {
    stop.abort();
    return 200;
  };
  await stay(tunnelTo([placeOf(8765, answers)]));
  expect(printed).toEqual([]);
});

test("stopped while it connects again", async () => {
  const place = placeOf(8765, fine, not("no network"));
  const over = stay(tunnelTo([place]));
  await says("Dashboard");
  place.connections[0]?.cut("reset");
  await says("Waiting for i-1: no network");
  stop.abort();
  await over;
  expect(printed).not.toContain("It is connected again.");
});

test("a connection that doesn't hold is not followed by another at once; stopped then, by none", async () => {
  const place = placeOf(8765, fine);
  const over = stay(tunnelTo([place]), ROUTE, { ...LONG, look: 10 });
  await says("Dashboard");
  place.connections[0]?.cut("reset");
  await says("The connection has ended (reset); connecting again");
  await sleep(50);
  expect(place.ports).toHaveLength(1);
  stop.abort();
  await over;
  expect(place.ports).toHaveLength(1);
});

test("what answers while the port is refused to the connection is another program's", async () => {
  const others = createServer((_, response) => response.end()).listen(localPort, "127.0.0.1");
  await once(others, "listening");
  let end = (_: string) => {};
  const refused = new Promise<string>((resolve) => {
    end = resolve;
  });
  const place: Place = { scheme: "http", port: 8765, connect: async () => ({ ended: refused, end: async () => {} }) };
  const over = stay(tunnelTo([place]), ROUTE, { ...TIMES, look: 200 });
  await sleep(50);
  end("bind: Address already in use");
  await says("Waiting for i-1: bind: Address already in use");
  stop.abort();
  await over;
  expect(printed).not.toContainEqual(expect.stringContaining("Dashboard"));
  others.close();
  others.closeAllConnections();
  await once(others, "close");
});

test("patience ends, with the last reason and what to look at", async () => {
  const within = (places: Tunnel["places"]) => stay(tunnelTo(places, { patienceMs: 550 }));
  await expect(within([placeOf(8765, silent)])).rejects.toEqual(
    new UsageError("Dashboard didn't answer within 1 s: there is no answer on port 8765; look at its console"),
  );
  await expect(within([placeOf(8090, silent), placeOf(8088, silent), placeOf(8090, silent)])).rejects.toThrow(
    "within 1 s: there is no answer on port 8090 or 8088; look",
  );
  await expect(within([placeOf(8765, not("first"), not("last"))])).rejects.toThrow("within 1 s: last; look");
  await expect(within([placeThatEnds("exit 255", not("then"))])).rejects.toThrow("within 1 s: then; look");
  expect(printed).toContain("Waiting for i-1: exit 255");
});

test("patience is that of all places together", async () => {
  const places = [placeOf(8090, silent), placeOf(8088, silent)] as const;
  const began = Date.now();
  await expect(stay(tunnelTo(places, { patienceMs: 100 }), ROUTE, { ...TIMES, place: 60_000 })).rejects.toThrow(
    "within",
  );
  expect(Date.now() - began).toBeLessThan(30_000);
});

test("a connection that ended last of all is told of, and not that it was silent", async () => {
  let asked = 0;
  const place = placeOf(8765, () => {
    asked += 1;
    return undefined;
  });
  const over = stay(tunnelTo([place], { patienceMs: 1000 }), ROUTE, { ...TIMES, look: 1200 });
  const told = expect(over).rejects.toThrow("within 1 s: reset by peer; look");
  await expect.poll(() => asked, { interval: 5 }).toBe(1);
  await sleep(100); // now it has its answer, and waits to ask again
  place.connections[0]?.cut("reset by peer");
  await told;
});

test("where there is one place alone its connection is kept while it is silent", async () => {
  const began = Date.now();
  const place = placeOf(8765, () => (Date.now() - began > TIMES.place + 100 ? 200 : undefined));
  const over = stay(tunnelTo([place]));
  await says("Dashboard");
  stop.abort();
  await over;
  expect(place.ports).toHaveLength(1);
});

test.each([500, 502, 503])("a page that answers %i is waited for", async (status) => {
  const place = placeOf(8765, (asked) => (asked < 8 ? status : 200));
  const over = stay(tunnelTo([place]));
  await says("Dashboard");
  stop.abort();
  await over;
  expect(printed[0]).toBe("Waiting for i-1: it is connected, and its page doesn't answer yet");
  expect(place.ports).toHaveLength(1);
});

test.each([200, 302, 401, 404])("one that answers %i is there", async (status) => {
  const over = stay(tunnelTo([placeOf(8765, () => status)]));
  await says("Dashboard");
  stop.abort();
  await over;
  expect(printed).toHaveLength(2);
});

test("the path that is asked for is the tunnel's", async () => {
  const place = placeOf(8765, (_, path) => (path === "/api/identity" ? 200 : undefined));
  const over = stay(tunnelTo([place]));
  await says("Dashboard");
  stop.abort();
  await over;
  expect(place.ports).toHaveLength(1);
});

/** Presses Ctrl-C for what waits for it by now, and for nothing of the test's own runner. */
async function interrupted(signal: "SIGINT" | "SIGTERM", work: () => Promise<void>, until: () => Promise<unknown>) {
  const before = new Set(process.rawListeners(signal));
  const over = work();
  await until();
  for (const listener of process.rawListeners(signal)) if (!before.has(listener)) listener(signal);
  await over;
}

test.each(["SIGINT", "SIGTERM"] as const)(
  "a route with a tunnel takes the page's own port or the next, until %s",
  async (signal) => {
    const taken = createTcpServer().listen(localPort, "127.0.0.1");
    await once(taken, "listening");
    const place = placeOf(localPort, fine);
    const route = { ...ROUTE, tunnel: tunnelTo([place, placeOf(1, fine)]) };
    await interrupted(
      signal,
      () => openRoute(route, undefined),
      () => says("Dashboard"),
    );
    const [port = 0] = place.ports;
    expect(port).toBeGreaterThan(localPort);
    expect(port).toBeLessThan(localPort + 100);
    expect(printed[0]).toBe(`Dashboard: http://127.0.0.1:${port}`);
    await expect(openRoute(route, localPort)).rejects.toThrow(`--port is ${localPort}: another program listens on it`);
    const asked = await freePort();
    await interrupted(
      signal,
      () => openRoute(route, asked),
      () => says(`Dashboard: http://127.0.0.1:${asked}`),
    );
    taken.close();
    await once(taken, "close");
    await interrupted(
      signal,
      () => openRoute(route, undefined),
      () => says(`Dashboard: http://127.0.0.1:${localPort}`),
    );
  },
);

test("without a tunnel there is no port to choose, and the page is opened where it is", async () => {
  const page = await listen(localPort, fine);
  const url = `http://127.0.0.1:${localPort}/`;
  await expect(openRoute({ ...ROUTE, url }, 8000)).rejects.toEqual(
    new UsageError(`--port is 8000, and no connection of this command leads to the page: Dashboard is at ${url}`),
  );
  expect(printed).toEqual([]);
  const notes = ["It asks for a password."];
  await openRoute({ ...ROUTE, url, notes, hint: "unheard", browse: (url) => `${url}?token` }, undefined);
  expect(printed).toEqual([`Dashboard: ${url}`, ...notes]);
  await expect.poll(opened).toEqual([`${url}?token`]);
  await page.end();
});

test("one of this machine that is dead is told of, and not opened", async () => {
  const told = async (url: string, hint?: string) => {
    printed.length = 0;
    await openRoute({ ...ROUTE, url, ...(hint && { hint }) }, undefined);
    return printed;
  };
  for (const host of ["127.0.0.1", "127.0.1.1", "localhost", "[::1]"]) {
    const url = `http://${host}:${localPort}`;
    await expect(told(url)).rejects.toThrow(new TransientError(`Dashboard doesn't answer at ${url}`));
  }
  const url = `http://127.0.0.1:${localPort}`;
  await expect(told(url, "look there")).rejects.toThrow(`Dashboard doesn't answer at ${url}: look there`);
  for (const [status, isThere] of [
    [502, false],
    [504, false],
    [500, true], // it is there, and has troubles of its own
    [404, true],
  ] as const) {
    const page = await listen(localPort, () => status);
    if (isThere) expect(await told(url)).toEqual([`Dashboard: ${url}`]);
    else await expect(told(url)).rejects.toThrow("doesn't answer");
    await page.end();
  }
  // Whether another machine's answers is not this one's to say.
  expect(await told(`http://dashboard.invalid:${localPort}`)).toHaveLength(1);
  await expect.poll(opened).toHaveLength(3);
});
