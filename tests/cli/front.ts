/** AWS as the tests want it: moto's answers, changed where moto can't play the part, through one address. */
import { createServer, type IncomingMessage, request } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";

type Json = Record<string, unknown>;

/** What AWS refuses a request with. */
export class Refusal {
  readonly name: string;
  readonly message: string;
  readonly status: number;

  constructor(name: string, message = name, status = 400) {
    this.name = name;
    this.message = message;
    this.status = status;
  }
}

export interface Front {
  readonly url: string;
  /** Operations that were asked for, in order, with their input where that is JSON. */
  readonly asked: { readonly operation: string; readonly input: Json }[];
  /** Answers an operation instead of moto. */
  answer(operation: string, answer: (input: Json) => Json | Refusal): void;
  /** Changes what moto answers. */
  amend(operation: string, change: (answer: Json, input: Json) => Json | Refusal): void;
  /** Lets moto answer everything again. */
  reset(): void;
  close(): void;
}

/** @param moto its address. */
export async function startFront(moto: string): Promise<Front> {
  const answers = new Map<string, (input: Json) => Json | Refusal>();
  const changes = new Map<string, (answer: Json, input: Json) => Json | Refusal>();
  const asked: Front["asked"] = [];
  const server = createServer(async (incoming, outgoing) => {
    const body = await buffer(incoming);
    const operation = operationOf(incoming, body);
    const input = parse(body);
    asked.push({ operation, input });
    const isJson = incoming.headers["x-amz-target"] !== undefined;
    const send = (result: Json | Refusal) => {
      const refused = result instanceof Refusal;
      outgoing.writeHead(refused ? result.status : 200, { "Content-Type": isJson ? JSON_TYPE : "text/xml" });
      if (!refused) outgoing.end(JSON.stringify(result));
      else outgoing.end(isJson ? JSON.stringify({ __type: result.name, message: result.message }) : inXml(result));
    };
    const answer = answers.get(operation);
    if (answer) return send(answer(input));
    const change = changes.get(operation);
    const { hostname, port } = new URL(moto);
    const options = { hostname, port, method: incoming.method, path: incoming.url, headers: incoming.headers };
    const forwarded = request(options, async (response) => {
      const received = await buffer(response);
      if (change && response.statusCode === 200) return send(change(parse(received), input));
      outgoing.writeHead(response.statusCode as number, response.headers);
      outgoing.end(received);
    });
    forwarded.once("error", () => outgoing.destroy());
    forwarded.end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    answer: (operation, answer) => void answers.set(operation, answer),
    amend: (operation, change) => void changes.set(operation, change),
    reset() {
      answers.clear();
      changes.clear();
      asked.length = 0;
    },
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

const JSON_TYPE = "application/x-amz-json-1.1";

const inXml = ({ name, message }: Refusal): string =>
  `<ErrorResponse><Error><Type>Sender</Type><Code>${name}</Code><Message>${message}</Message></Error></ErrorResponse>`;

function operationOf({ headers, method, url }: IncomingMessage, body: Buffer): string {
  const target = headers["x-amz-target"];
  if (typeof target === "string") return target.split(".").at(-1) as string;
  const action = /(?:^|&)Action=(\w+)/.exec(body.subarray(0, 2000).toString())?.[1];
  return action ?? `${method} ${url?.replace(/\?.*/, "")}`;
}

function parse(body: Buffer): Json {
  try {
    return JSON.parse(body.toString());
  } catch {
    return {};
  }
}
