import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { z } from "zod";
import { billOutput } from "../../cli/outputs.ts";
import { type Attached, type Connection, clusterKind, type Platform, type StackContext } from "../../cli/platform.ts";
import { FolderStore } from "../../clients/lake/folder.ts";

/** What Toyland refuses. */
class ToyError extends Error {
  override readonly name = "ToyError";
}

const boxOf = ({ outputs, files: { config } }: StackContext): string =>
  String(outputs.box ?? config["oneoff:box"] ?? "/nowhere/box");

const toyland: Platform<{ readonly brick: string }> = {
  title: "Toyland",
  provider: "toy:",
  prices: async () => ({ whose: "Toyland", asOf: "1889-11-01" }),
  rehearsal: () => ({ config: { "toy:owner": "somebody" } }),
  async checks(stack, resources, parts) {
    const clusters = resources.filter(({ type }) => type === "toy:index:Cluster").length;
    const detail = `${clusters} cluster of ${parts.map(({ brick }) => brick)} in ${boxOf(stack)}`;
    return [{ name: "box", ok: existsSync(boxOf(stack)), detail, cure: "Buy one." }];
  },
  async search(stack) {
    const folder = join(boxOf(stack), "left");
    if (existsSync(join(folder, "locked"))) throw new ToyError("the box is locked");
    const find = async () =>
      (existsSync(folder) ? readdirSync(folder) : []).map((id) => ({
        ...{ kind: "brick", id, order: 0, lake: "lake" },
        remove: async () => rmSync(join(folder, id)),
      }));
    return { find, where: ` in ${boxOf(stack)}` };
  },
  isNamed: ({ files: { config } }, by) => by === "settings" && "toy:owner" in config,
  lakes: {
    scheme: "toy://",
    title: "toy://NAME",
    open: async (stack, address) => new FolderStore(join(boxOf(stack), address.slice("toy://".length))),
  },
  explain: (error) => (error.name === "ToyError" ? `Toyland says: ${error.message}` : undefined),
};

const outputs = z.object({ run: z.string(), lake: z.string(), port: z.number(), bill: billOutput() });

export const toy = clusterKind({
  name: "toy",
  platform: toyland,
  outputs,
  pages: ["bricks"],
  part: async () => ({ brick: "wood" }),
  attach,
});

async function attach(stack: StackContext, { run, lake, port, bill }: z.output<typeof outputs>): Promise<Attached> {
  const broken = (of: string) => join(boxOf(stack), `broken-${of}`);
  return {
    run,
    lake: await stack.openLake(lake),
    pollMs: 100,
    bill,
    progressInLogs: true,
    async machines(of, recorded) {
      if (!recorded) return undefined;
      const why = existsSync(broken(of)) ? readFileSync(broken(of), "utf8") : undefined;
      return { started: recorded.started, ...(why !== undefined && { over: { error: why } }) };
    },
    evidence: async () => ({ what: "the box", text: "crack" }),
    isKept: () => existsSync(join(boxOf(stack), "kept")),
    pages: async () => [
      { name: "dashboard", title: "Dashboard", address: `http://127.0.0.1:${port}` },
      { name: "bricks", title: "Bricks", address: `npx --no oneoff open ${stack.name} --ui bricks` },
    ],
    route: async (name) => {
      const url = `http://127.0.0.1:${port}`;
      if (name === "dashboard") return { title: "Dashboard", url };
      const place = { scheme: "http", port, connect: async (local: number) => forward(local, port) } as const;
      const tunnel = { places: [place], host: "the box", patienceMs: 10_000, probe: "/", advice: "shake it" } as const;
      return { title: "Bricks", url, tunnel };
    },
  };
}

function forward(local: number, port: number): Connection {
  const server = createServer((socket) => {
    const far = connect(port, "127.0.0.1");
    for (const end of [socket, far]) end.on("error", () => [socket, far].map((one) => one.destroy()));
    socket.pipe(far).pipe(socket);
  }).listen(local, "127.0.0.1");
  const ended = new Promise<string>((resolve) => server.once("close", () => resolve("it was closed")));
  return {
    ended,
    async end() {
      server.close();
      await ended;
    },
  };
}
