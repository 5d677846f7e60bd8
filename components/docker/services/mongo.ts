import * as pulumi from "@pulumi/pulumi";
import type { SwarmImages } from "../args.ts";
import { secretFile } from "../files.ts";
import type { SwarmService } from "../service.ts";

const MEMORY_MEBIBYTES = 512;
const EXPRESS_MEBIBYTES = 160;

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

/** What is secret of MongoDB. */
export interface MongoPasswords {
  /** Of user "root", who may everything. */
  readonly root: pulumi.Output<string>;
  /** Of who may read and write in the database. */
  readonly own: pulumi.Output<string>;
  /** What mongo-express asks user "oneoff" for. */
  readonly express: pulumi.Output<string>;
}

/** Where MongoDB is, with user and password. Secret. */
export const mongoAddress = ({ own }: MongoPasswords): pulumi.Output<string> =>
  pulumi.interpolate`mongodb://${USER}:${own}@mongo:27017/${DATABASE}?authSource=${DATABASE}`;

/**
 * MongoDB with a user for one database, and mongo-express, a page to look into it.
 *
 * @param user whom mongo-express runs as; the image takes any.
 */
export function mongoServices(passwords: MongoPasswords, images: SwarmImages, user: string): readonly SwarmService[] {
  const root = secretFile("mongo-root", passwords.root, "mongo-root-password");
  const own = secretFile("mongo", passwords.own, "mongo-password");
  const express = secretFile("mongo-express", passwords.express, "mongo-express-password");
  return [
    {
      name: "mongo",
      image: images.mongo ?? MONGO,
      user: MONGO_USER,
      command: MONGOD,
      memoryMebibytes: MEMORY_MEBIBYTES,
      env: { MONGO_INITDB_ROOT_USERNAME: "root", MONGO_INITDB_ROOT_PASSWORD_FILE: root.path },
      files: [root, own, { name: "mongo-init", path: "/docker-entrypoint-initdb.d/oneoff.js", content: INIT }],
      listens: { mongo: 27017 },
      disks: ["/data/db", "/data/configdb"],
      // By its own address: while it makes the users it listens on the loopback address alone.
      health: ["bash", "-c", "exec 3<>/dev/tcp/$HOSTNAME/27017"],
    },
    {
      name: "mongo-express",
      image: images.mongoExpress ?? EXPRESS,
      user,
      command: ["bash", "-c", START_EXPRESS],
      memoryMebibytes: EXPRESS_MEBIBYTES,
      env: {
        ME_CONFIG_MONGODB_SERVER: "mongo",
        ME_CONFIG_MONGODB_ENABLE_ADMIN: "false",
        ME_CONFIG_MONGODB_AUTH_DATABASE: DATABASE,
        ME_CONFIG_MONGODB_AUTH_USERNAME: USER,
        ME_CONFIG_MONGODB_AUTH_PASSWORD_FILE: own.path,
        ME_CONFIG_BASICAUTH: "true",
        ME_CONFIG_BASICAUTH_USERNAME: USER,
        ME_CONFIG_BASICAUTH_PASSWORD_FILE: express.path,
        ME_CONFIG_CONNECT_RETRIES: "300",
      },
      files: [own, express],
      listens: { http: 8081 },
      pages: [{ name: "mongo", listen: "http" }],
      health: ["bash", "-c", ASK_EXPRESS],
    },
  ];
}
