/** A package index on this machine, as JSON (PEP 691) or HTML (PEP 503). */
import { createHash } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

export interface FakeIndex {
  readonly url: string;
  /** Paths that were asked for, in order. */
  readonly asked: readonly string[];
  /** Offers a file, and returns its SHA-256. `told` is the hash that the index tells, "" for none. */
  add(file: string, content: string | Buffer, told?: string): string;
  /** From now on a file stops arriving after so many bytes, and `then` is called. */
  stallAfter(bytes: number, then: () => void): void;
  close(): void;
}

export const sha256 = (content: string | Buffer) => createHash("sha256").update(content).digest("hex");

export async function startIndex(kind: "json" | "html"): Promise<FakeIndex> {
  const files = new Map<string, { readonly content: Buffer; readonly told: string }>();
  const asked: string[] = [];
  let stall: { readonly bytes: number; readonly then: () => void } | undefined;
  const server = createServer((request, response) => {
    const path = request.url ?? "";
    asked.push(path);
    const name = /^\/simple\/([^/]+)\/$/.exec(path)?.[1];
    const file = files.get(decodeURIComponent(path.replace("/files/", "")));
    const offered = [...files].filter(([one]) => one.split("-")[0]?.toLowerCase().replace(/_/g, "-") === name);
    if (file && stall) {
      const { bytes, then } = stall;
      response.writeHead(200, { "Content-Length": file.content.length });
      response.write(file.content.subarray(0, bytes), () => setTimeout(then, 200));
    } else if (file) response.end(file.content);
    else if (!name || offered.length === 0) response.writeHead(404).end();
    else if (kind === "json") {
      response.setHeader("Content-Type", "application/vnd.pypi.simple.v1+json");
      const list = offered.map(([filename, { told }]) => ({
        filename,
        url: `../../files/${encodeURIComponent(filename)}`,
        hashes: told ? { sha256: told } : {},
      }));
      response.end(JSON.stringify({ name, files: list }));
    } else {
      response.setHeader("Content-Type", "text/html; charset=utf-8");
      const links = offered.map(([filename, { told }]) => {
        const hash = told ? `#sha256=${told}` : "";
        return `<a data-requires-python="&gt;=3.11"\n href="../../files/${encodeURIComponent(filename)}${hash}">${filename}</a><br/>`;
      });
      response.end(`<!DOCTYPE html><html><body>${links.join("\n")}</body></html>`);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/simple`,
    asked,
    add(file, content, told = sha256(content)) {
      files.set(file, { content: Buffer.from(content), told });
      return sha256(content);
    },
    stallAfter(bytes, then) {
      stall = { bytes, then };
    },
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}
