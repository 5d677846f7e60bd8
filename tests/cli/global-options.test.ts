import { once } from "node:events";
import { createServer, get } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { commandIn, sayWhatIsAsked } from "../../cli/global-options.ts";

test("each request is told, without what may be a signature", async () => {
  const said: string[] = [];
  sayWhatIsAsked((line) => said.push(line));
  const server = createServer((_, response) => response.end()).listen(0, "127.0.0.1");
  await once(server, "listening");
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  await fetch(`http://${host}/fetched?X-Amz-Signature=abc`, { method: "PUT" });
  const headers = { "x-amz-target": "AmazonAthena.StartQueryExecution" };
  await new Promise((resolve) => get(`http://${host}/got?token=abc`, { headers }, resolve));
  server.close();
  server.closeAllConnections();
  expect(said).toEqual([`PUT http://${host}/fetched`, `GET http://${host}/got AmazonAthena.StartQueryExecution`]);
});

test.each([
  [["--color", "never", "status"], "status"],
  [["--color=never", "-q", "status", "local"], "status"],
  [["-v"], undefined],
])("the command in %j is %s", (words, command) => expect(commandIn(words)).toBe(command));
