import * as pulumi from "@pulumi/pulumi";
import type { SwarmImages } from "./args.ts";
import { config, type FilePlace, password, type SwarmFile, secret } from "./files.ts";
import type { ServicePart } from "./service.ts";

const MEMORY = { mongo: 512, "mongo-express": 160 } as const;

/** The official images, as of November 2026. */
const MONGO = "mongo:8.0.26@sha256:3ce3de7f40e914034b03b7dec654005ab54f7dc8306937e44ec6760d9e9409a1";
const EXPRESS =
  "mongo-express:1.0.2-20-alpine3.19@sha256:5e8f36b387c5b5ece5cc670abb6fdd05a1457fba3cb19655ed234d4facebc10f";

/** The user of the official image who owns its folders of data. */
const MONGO_USER = "999:999";
/** 0.25 GB is the smallest cache, half of the machine's memory the default; what building an index takes comes on top. */
const MONGOD = [
  ...["mongod", "--quiet", "--wiredTigerCacheSizeGB", "0.25"],
  ...["--setParameter", "maxIndexBuildMemoryUsageMegabytes=50"],
];

/** Name of the database, and of the user who may read and write there. */
const DATABASE = "power";
const USER = "oneoff";

/** mongosh runs it once, in the empty server, before anybody else is let in. */
const INIT = `const password = require("node:fs").readFileSync("/run/secrets/mongo-password", "utf8");
db.getSiblingDB("${DATABASE}").createUser({
  user: "${USER}",
  pwd: password,
  roles: [{ role: "readWrite", db: "${DATABASE}" }],
});
`;

/** mongo-express signs sessions with the word "secret" if it isn't told another, and reads this one from no file. */
const START_EXPRESS = `random() { od -An -N24 -tx1 /dev/urandom | tr -d ' \\n'; }
export ME_CONFIG_SITE_SESSIONSECRET=$(random) ME_CONFIG_SITE_COOKIESECRET=$(random)
exec /docker-entrypoint.sh mongo-express`;
const ASK_EXPRESS = `exec 3<>/dev/tcp/127.0.0.1/8081; printf 'GET /status HTTP/1.0\\r\\n\\r\\n' >&3; grep -q '"ok"' <&3`;

export interface Mongo {
  readonly parts: readonly ServicePart[];
  /** Secret with `address`. */
  readonly uri: SwarmFile;
  /** Where MongoDB is, with user and password. Secret. */
  readonly address: pulumi.Output<string>;
  /** What mongo-express asks user "oneoff" for. Secret. */
  readonly expressPassword: pulumi.Output<string>;
}

/**
 * MongoDB with a user for one database, and mongo-express, a page to look into it.
 *
 * @param user whom mongo-express runs as; the image takes any.
 */
export function mongoParts(files: FilePlace, images: SwarmImages, user: string): Mongo {
  const made = (name: string) => password(`${files.name}-${name}`, files.parent);
  const [root, own, expressPassword] = [made("mongo-root"), made("mongo"), made("mongo-express")];
  const address = pulumi.interpolate`mongodb://${USER}:${own}@mongo:27017/${DATABASE}?authSource=${DATABASE}`;
  const rootFile = secret(files, "mongo-root", root, "mongo-root-password");
  const ownFile = secret(files, "mongo", own, "mongo-password");
  const expressFile = secret(files, "mongo-express", expressPassword, "mongo-express-password");
  const init = "/docker-entrypoint-initdb.d/oneoff.js";
  const mongo: ServicePart = {
    role: "mongo",
    image: images.mongo ?? MONGO,
    user: MONGO_USER,
    args: MONGOD,
    memoryMebibytes: MEMORY.mongo,
    env: { MONGO_INITDB_ROOT_USERNAME: "root", MONGO_INITDB_ROOT_PASSWORD_FILE: "/run/secrets/mongo-root-password" },
    secrets: [rootFile, ownFile],
    configs: [config(files, "mongo-init", init, Buffer.from(INIT).toString("base64"))],
    scratch: ["/data/db", "/data/configdb"],
    // By its own address: while it makes the users it listens on the loopback address alone.
    health: ["bash", "-c", "exec 3<>/dev/tcp/$HOSTNAME/27017"],
  };
  const express: ServicePart = {
    role: "mongo-express",
    image: images.mongoExpress ?? EXPRESS,
    user,
    args: ["bash", "-c", START_EXPRESS],
    memoryMebibytes: MEMORY["mongo-express"],
    env: {
      ME_CONFIG_MONGODB_SERVER: "mongo",
      ME_CONFIG_MONGODB_ENABLE_ADMIN: "false",
      ME_CONFIG_MONGODB_AUTH_DATABASE: DATABASE,
      ME_CONFIG_MONGODB_AUTH_USERNAME: USER,
      ME_CONFIG_MONGODB_AUTH_PASSWORD_FILE: "/run/secrets/mongo-password",
      ME_CONFIG_BASICAUTH: "true",
      ME_CONFIG_BASICAUTH_USERNAME: USER,
      ME_CONFIG_BASICAUTH_PASSWORD_FILE: "/run/secrets/mongo-express-password",
      ME_CONFIG_CONNECT_RETRIES: "300",
    },
    secrets: [ownFile, expressFile],
    health: ["bash", "-c", ASK_EXPRESS],
  };
  return { parts: [mongo, express], uri: secret(files, "mongo-uri", address), address, expressPassword };
}
