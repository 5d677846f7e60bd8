import { TransientError } from "../../core/errors.ts";
import type { Connection, Place, Route } from "../platform.ts";
import { neededPlugin, startSession } from "./session.ts";

const PATIENCE_MS = 5 * 60_000;

/** Where a page is, as its instance knows it. */
interface PageAddress {
  readonly port: number;
  readonly scheme: "http" | "https";
  /** @default the instance's own loopback */
  readonly host?: string | undefined;
}

/** A page of an instance that has no open port. */
export interface InstancePage extends Pick<Route, "title" | "notes" | "browse"> {
  readonly region: string;
  /** Id of the EC2 instance. */
  readonly instance: string;
  /** Where it may be, to be tried in this order. */
  readonly addresses: readonly [PageAddress, ...PageAddress[]];
  /** Path that answers when the page is there. */
  readonly probe: string;
  /**
   * What the instance is at, in words, once SSM doesn't reach it.
   * @throws UsageError when it will never answer.
   */
  state(): Promise<string>;
}

/**
 * What leads to a page through SSM.
 * @throws UsageError when session-manager-plugin is not installed.
 */
export async function routeThroughSsm(page: InstancePage): Promise<Route> {
  const plugin = await neededPlugin();
  const { title, notes, browse, instance, probe, addresses } = page;
  const placeOf = (address: PageAddress): Place => ({
    ...address,
    connect: (localPort) => connectTo(page, address, localPort, plugin),
  });
  const [first, ...others] = addresses;
  return {
    title,
    url: `${first.scheme}://127.0.0.1:${first.port}`,
    ...(notes && { notes }),
    ...(browse && { browse }),
    tunnel: {
      places: [placeOf(first), ...others.map(placeOf)],
      host: instance,
      patienceMs: PATIENCE_MS,
      probe,
      advice: `its instance is ${instance}, and what it printed is to be had by "aws ec2 get-console-output --instance-id ${instance}"`,
    },
  };
}

async function connectTo(
  { region, instance, state }: InstancePage,
  { port, host }: PageAddress,
  localPort: number,
  plugin: string,
): Promise<Connection> {
  try {
    return await startSession({ region, instance, port, host, localPort }, plugin);
  } catch (error) {
    if ((error as Error).name !== "TargetNotConnected") throw error;
    throw new TransientError(`${await state()}, and SSM doesn't reach it yet (TargetNotConnected)`);
  }
}
