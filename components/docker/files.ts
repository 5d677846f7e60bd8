import { createHmac } from "node:crypto";
import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import { LABEL, OWNER } from "../../core/docker-names.ts";
import type { ServiceFile } from "../../core/service.ts";
import { stackId } from "../common/naming.ts";
import { contentName, DIGEST_LENGTH } from "./args.ts";

/** A file of a service, whose content may be known later. */
export type SwarmServiceFile = ServiceFile<pulumi.Input<string>>;

/** A Docker secret or config. */
export interface SwarmFile {
  readonly id: pulumi.Output<string>;
  readonly name: pulumi.Output<string>;
}

/** Where Docker puts a secret whose path is a bare name. */
export const SECRETS = "/run/secrets/";

/** A secret file. @param path of it, below /run/secrets. */
export const secretFile = (name: string, content: pulumi.Input<string>, path = name): SwarmServiceFile => ({
  name,
  path: `${SECRETS}${path}`,
  content,
  isSecret: true,
});

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

/** Say whose it is; `npx --no oneoff leftovers` looks for them. */
export const labels = (prefix: string) => [
  { label: LABEL, value: prefix },
  { label: OWNER, value: stackId() },
];

/** Of what was made with fewer labels, and can't be given one without being made anew. */
export const AS_LABELLED: pulumi.CustomResourceOptions = { ignoreChanges: ["labels"] };

/** 32 random letters and digits. */
export const password = (name: string, parent: pulumi.Resource): pulumi.Output<string> =>
  new random.RandomPassword(name, { length: 32, special: false }, { parent }).result;

/**
 * What makes Docker secrets and configs of services' files, each once for however many services have it. Docker can't change
 * one, nor delete one in use: its name has a digest of the content, so that a new content is a new one, which the services
 * get before the old one goes.
 */
export function swarmFiles(place: FilePlace): (file: SwarmServiceFile) => SwarmFile {
  const made = new Map<string, SwarmFile>();
  return (file) => {
    const key = `${file.isSecret ? "secret" : "config"} ${file.name}`;
    const known = made.get(key) ?? (file.isSecret ? secret(place, file) : config(place, file));
    made.set(key, known);
    return known;
  };
}

function secret(place: FilePlace, file: SwarmServiceFile): SwarmFile {
  return new docker.Secret(
    `${logicalName(place, file.name)}-secret`,
    {
      name: physicalName(place, file.name, file.content),
      data: pulumi.secret(base64(file)),
      labels: labels(place.prefix),
    },
    options(place),
  );
}

function config(place: FilePlace, file: SwarmServiceFile): SwarmFile {
  const data = base64(file);
  return new docker.ServiceConfig(
    `${logicalName(place, file.name)}-config`,
    { name: physicalName(place, file.name, data), data, labels: labels(place.prefix) },
    options(place),
  );
}

const base64 = ({ content, isBase64 }: SwarmServiceFile): pulumi.Output<string> =>
  pulumi.output(content).apply((text) => (isBase64 ? text : Buffer.from(text).toString("base64")));

const logicalName = ({ name, run }: FilePlace, file: string): string => [name, file, run].filter(Boolean).join("-");

const options = ({ parent, run }: FilePlace): pulumi.CustomResourceOptions => ({
  parent,
  deleteBeforeReplace: false,
  ignoreChanges: [...(run === undefined ? [] : ["name", "data"]), "labels"],
});

const physicalName = (place: FilePlace, name: string, content: pulumi.Input<string>): pulumi.Output<string> =>
  pulumi.unsecret(
    pulumi.all([content, place.salt]).apply(([text, salt]) => {
      const hash = createHmac("sha256", salt).update(`${place.run ?? ""}\0${text}`);
      return contentName(place.prefix, name, hash.digest("hex").slice(0, DIGEST_LENGTH));
    }),
  );
