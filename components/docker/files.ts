import { createHmac } from "node:crypto";
import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import { LABEL } from "../../core/docker-names.ts";
import { contentName, DIGEST_LENGTH } from "./args.ts";

/** A Docker secret or config, and where a service finds it. */
export interface SwarmFile {
  readonly id: pulumi.Output<string>;
  readonly name: pulumi.Output<string>;
  /** Of the file in the container; a bare name is below /run/secrets. */
  readonly path: string;
}

/** Who makes a file, and how its name begins. */
export interface FilePlace {
  /** The component's. */
  readonly name: string;
  readonly prefix: string;
  /** Random text: without it nobody can tell by a secret's name whether a guess of its content is right. */
  readonly salt: pulumi.Input<string>;
  /** Run that the files are for; they are made once and stay as they were made. @default none: they follow the program */
  readonly run?: string;
  readonly parent: pulumi.Resource;
}

/** Says whose it is; `npx oneoff leftovers` looks for it. */
export const labels = (prefix: string) => [{ label: LABEL, value: prefix }];

/** 32 random letters and digits. */
export const password = (name: string, parent: pulumi.Resource): pulumi.Output<string> =>
  new random.RandomPassword(name, { length: 32, special: false }, { parent }).result;

/**
 * A Docker secret. Docker can't change one, nor delete one in use: its name has a digest of the content, so that a new
 * content is a new secret, which the services get before the old one goes.
 *
 * @param path of its file in a container, below /run/secrets.
 */
export function secret(place: FilePlace, name: string, content: pulumi.Input<string>, path = name): SwarmFile {
  const made = new docker.Secret(
    `${logicalName(place, name)}-secret`,
    {
      name: physicalName(place, name, content),
      data: pulumi.secret(pulumi.output(content).apply((text) => Buffer.from(text).toString("base64"))),
      labels: labels(place.prefix),
    },
    options(place),
  );
  return { id: made.id, name: made.name, path };
}

/**
 * A Docker config; what is said of secrets holds for it too.
 *
 * @param path absolute path of its file in a container.
 * @param data base64.
 */
export function config(place: FilePlace, name: string, path: string, data: pulumi.Input<string>): SwarmFile {
  const made = new docker.ServiceConfig(
    `${logicalName(place, name)}-config`,
    { name: physicalName(place, name, data), data, labels: labels(place.prefix) },
    options(place),
  );
  return { id: made.id, name: made.name, path };
}

const logicalName = ({ name, run }: FilePlace, file: string): string => [name, file, run].filter(Boolean).join("-");

const options = ({ parent, run }: FilePlace): pulumi.CustomResourceOptions => ({
  parent,
  deleteBeforeReplace: false,
  ...(run !== undefined && { ignoreChanges: ["name", "data", "labels"] }),
});

const physicalName = (place: FilePlace, name: string, content: pulumi.Input<string>): pulumi.Output<string> =>
  pulumi.unsecret(
    pulumi.all([content, place.salt]).apply(([text, salt]) => {
      const hash = createHmac("sha256", salt).update(`${place.run ?? ""}\0${text}`);
      return contentName(place.prefix, name, hash.digest("hex").slice(0, DIGEST_LENGTH));
    }),
  );
