import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

/** A fake service in a process of its own, so that it takes no time of what is measured; told by messages what to answer. */
export class Endpoint<Order extends object> {
  /** Environment with which its clients find it. */
  readonly env: Readonly<Record<string, string>>;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, env: Readonly<Record<string, string>>) {
    this.#child = child;
    this.env = env;
  }

  /** @param file beside this one; it says its environment first, and then "done" to each order. */
  static async start<Order extends object>(file: string): Promise<Endpoint<Order>> {
    const child = fork(fileURLToPath(new URL(file, import.meta.url)));
    const [env] = await once(child, "message");
    return new Endpoint(child, env);
  }

  async order(order: Order): Promise<void> {
    const done = once(this.#child, "message");
    this.#child.send(order);
    await done;
  }

  close(): void {
    this.#child.disconnect();
  }
}
