/**
 * A service as data: what it is, and not where it runs. Docker Swarm and plain processes render it, each in its way.
 *
 * What others of its group answer to is their `name` and the port they listen on. `Text` is what a value may be: in a
 * component also one that is known later.
 */
export interface Service<Text = string> {
  /** Its name as a host, to the others. */
  readonly name: string;
  /** What it is made of. */
  readonly image: Text;
  /** What the image's entrypoint is given. @default what the image says */
  readonly command?: readonly string[];
  /** @default none */
  readonly env?: Readonly<Record<string, Text>>;
  /** @default none */
  readonly files?: readonly ServiceFile<Text>[];
  /** What it may take at most. */
  readonly memoryMebibytes: number;
  /** @default 1 */
  readonly replicas?: number;
  /** Ports by name. None is published by being listed. @default none */
  readonly listens?: Readonly<Record<string, number>>;
  /** What it shows in a browser. @default none */
  readonly pages?: readonly ServicePage[];
  /** Absolute paths of folders on disks of its own, which end with it. @default none */
  readonly disks?: readonly string[];
  /**
   * Whether it is the same one whenever it starts again: it finds its disks as they were, and its name leads to itself too. There
   * is one of it then. @default false: it may be another
   */
  readonly stays?: boolean;
  /** What it sees of the machine. @default none */
  readonly mounts?: readonly Mount[];
  /** Command that exits with 0 once it can be used. @default it can when it has started */
  readonly health?: readonly string[];
  /** User and group, "1000:1000". @default the image's */
  readonly user?: string;
  /** Whether it runs once and ends. @default false: it is started again whenever it ends */
  readonly once?: boolean;
}

/** A file that a service finds when it starts. */
export interface ServiceFile<Text = string> {
  /** Tells files of a group apart: services that name the same one share it. */
  readonly name: string;
  /** Absolute; that of a secret is below /run/secrets. */
  readonly path: string;
  readonly content: Text;
  /** Whether `content` is base64, as that of a file which is no text. @default false */
  readonly isBase64?: boolean;
  /** Whether only the service itself may read it. @default false */
  readonly isSecret?: boolean;
}

/** A page that a service shows. */
export interface ServicePage {
  readonly name: string;
  /** Which of the ports it listens on. */
  readonly listen: string;
  /** @default "/" */
  readonly path?: string;
}

/** A file or folder of the machine, which a service sees at the same path. */
export interface Mount {
  /** Absolute. */
  readonly path: string;
  readonly readOnly: boolean;
}
