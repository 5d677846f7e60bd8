import type { Service } from "../../../core/service.ts";
import { DAEMONS } from "../../common/services/scheduler.ts";

/** Where software.py puts what a machine runs. */
export const SOFTWARE = "/opt/oneoff";
const SCRIPTS = `${SOFTWARE}/scripts`;
export const FLEET_SCRIPTS = `${SCRIPTS}/fleet`;
/** Environments of jobs, which the account that executors and drivers run as makes when they are first asked for. */
const VENVS = `${SOFTWARE}/venvs`;
export const PYTHON = `${SOFTWARE}/python/bin/python`;
/** Where files of YARN's are: its part of the software is laid out as assets/ is. */
export const YARN = `${SOFTWARE}/yarn/yarn`;
/** What is this machine's alone; node.py writes it. */
const NODE_ENV = "/etc/oneoff/node.env";
/** Where secrets are root's, by name. */
const SECRETS = "/var/lib/oneoff/secrets";
/** Where the settings for AWS's libraries are, by whose credentials they lead to; access.py writes them. */
export const ACCESS = "/etc/oneoff/access";

/** The folder that stands for / to a service. */
export const homeOf = (service: string): string => `/var/lib/oneoff/${service}`;

/** What stands for an image on a machine: where the rest of it is, beside its scripts. */
const IMAGES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  hdfs: { HADOOP_HOME: `${SOFTWARE}/hadoop` },
  spark: { ONEOFF_PYTHON: PYTHON },
  yarn: { HADOOP_HOME: `${SOFTWARE}/yarn`, ONEOFF_PYTHON: PYTHON },
  scoring: {
    ONEOFF_PYTHON: PYTHON,
    ONEOFF_SCORING: `${SOFTWARE}/scoring/scoring`,
    ONEOFF_SCORING_PACKAGES: `${SOFTWARE}/scoring/packages`,
  },
};

/** Its folder of scripts has it, and a part of the software that of YARN; that of scoring is Spark's. */
function entrypoint(image: string): string {
  if (image === "yarn") return `${YARN}/entrypoint`;
  return `${SCRIPTS}/${image === "scoring" ? "spark" : image}/entrypoint`;
}

/** Those that start executors, which make environments of jobs. */
const WORKERS: readonly string[] = Object.values(DAEMONS).map(({ worker }) => worker);

/** Of a unit, each section's lines. */
type Sections = Readonly<Record<"Unit" | "Service" | "Install", readonly string[]>>;

const write = (sections: Sections): string =>
  Object.entries(sections)
    .map(([name, lines]) => `[${name}]\n${lines.map((line) => `${line}\n`).join("")}`)
    .join("\n");

/** A variable as systemd reads it: "%" begins a specifier. */
function variable([name, value]: readonly [string, string]): string {
  const text = value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("%", "%%");
  return `Environment="${name}=${text}"`;
}

/** What no service of ours needs. */
const CLOSED = [
  "NoNewPrivileges=yes",
  "ProtectSystem=strict",
  "PrivateTmp=yes",
  "ProtectKernelTunables=yes",
  "ProtectControlGroups=yes",
  "RestrictSUIDSGID=yes",
];

/** Begins anew whatever ended it, as long as the machine runs. */
const FOREVER = ["Restart=always", "RestartSec=5"];

export const unitName = (service: string): string => `oneoff-${service}.service`;

/**
 * A service as a unit of systemd: the image's entrypoint with ONEOFF_ROOT, as on a laptop. It gets its secrets from systemd, and
 * what is said of this machine alone from a file, which counts more than what the service says.
 *
 * @param user account that it runs as.
 * @param env what is elsewhere than in a container.
 * @param more settings of its section Service.
 */
export function serviceUnit(
  service: Service,
  user: string,
  env: Readonly<Record<string, string>>,
  more: readonly string[] = [],
): string {
  const { name, image, command = [], files = [], disks = [] } = service;
  const writes = WORKERS.includes(name) ? [VENVS] : [];
  const home = homeOf(name);
  const folders = [home, `${home}/tmp`, ...disks.map((disk) => `${home}${disk}`), ...writes];
  const secrets = files.filter(({ isSecret }) => isSecret);
  return write({
    Unit: [
      `Description=Fleet: ${name}`,
      "Wants=network-online.target",
      "After=network-online.target",
      ...(disks.length > 0 ? [`RequiresMountsFor=${disks.map((disk) => `${home}${disk}`).join(" ")}`] : []),
      "StartLimitIntervalSec=0",
    ],
    Service: [
      `User=${user}`,
      ...Object.entries({ HOME: home, ONEOFF_ROOT: home, ...env, ...IMAGES[image], ...service.env }).map(variable),
      `EnvironmentFile=${NODE_ENV}`,
      ...secrets.map((secret) => `LoadCredential=${secret.name}:${SECRETS}/${secret.name}`),
      `ExecStartPre=+/usr/bin/install -d -m 755 -o ${user} ${folders.join(" ")}`,
      ...secrets.map((secret) => `ExecStartPre=/usr/bin/install -D -m 600 %d/${secret.name} ${home}${secret.path}`),
      `ExecStart=${[entrypoint(image), ...command].join(" ")}`,
      ...FOREVER,
      ...CLOSED,
      "ProtectHome=yes",
      `ReadWritePaths=${[home, ...writes].map((folder) => `-${folder}`).join(" ")}`,
      ...more,
    ],
    Install: ["WantedBy=multi-user.target"],
  });
}

/** What goes on beside the services: agent.py, as root, since it makes accounts and reads what the machine alone may. */
export const agentUnit = (): string =>
  write({
    Unit: [
      "Description=Fleet: users, reports and requests",
      "Wants=network-online.target",
      "After=network-online.target",
    ],
    Service: [
      `ExecStart=${PYTHON} ${SCRIPTS}/fleet/agent.py run`,
      ...FOREVER,
      "MemoryMax=1G",
      // What it starts for others, such as a push, ends with it and is begun again.
      "KillMode=control-group",
    ],
    Install: ["WantedBy=multi-user.target"],
  });

/** What runs a job: the driver, once, from the archive that the agent has brought. */
export const runUnit = (env: Readonly<Record<string, string>>): string => {
  const user = "oneoff-run";
  const home = homeOf("run");
  return write({
    Unit: ["Description=Fleet: run %i"],
    Service: [
      `User=${user}`,
      ...Object.entries({
        HOME: home,
        ONEOFF_ROOT: home,
        ...env,
        ...IMAGES.spark,
        AWS_CONFIG_FILE: `${ACCESS}/run`,
      }).map(variable),
      `EnvironmentFile=${NODE_ENV}`,
      `LoadCredential=spark:${SECRETS}/spark`,
      // In memory, for the job's secrets; it goes with the run.
      "RuntimeDirectory=oneoff-run-%i",
      "RuntimeDirectoryMode=0700",
      `ExecStartPre=+/usr/bin/install -d -m 755 -o ${user} ${home} ${home}/tmp ${VENVS}`,
      `ExecStartPre=/usr/bin/install -D -m 600 %d/spark ${home}/run/secrets/spark`,
      `ExecStart=${entrypoint("spark")} python3 /var/lib/oneoff/runs/%i/run.zip`,
      // The driver says in the run's record that it was ended.
      "TimeoutStopSec=120",
      ...CLOSED,
      "ProtectHome=yes",
      `ReadWritePaths=-${home} -${VENVS}`,
    ],
    Install: [],
  });
};

/** JupyterLab of a user, under the user's account and in the user's home. */
export const notebookUnit = (env: Readonly<Record<string, string>>): string =>
  write({
    Unit: ["Description=Fleet: JupyterLab of %i", "StartLimitIntervalSec=0"],
    Service: [
      "User=%i",
      ...Object.entries({
        ...env,
        ...IMAGES.spark,
        ONEOFF_JUPYTER: `${SOFTWARE}/jupyter`,
        AWS_CONFIG_FILE: `${ACCESS}/users`,
      }).map(variable),
      `EnvironmentFile=${NODE_ENV}`,
      `LoadCredential=spark:${SECRETS}/spark`,
      "LoadCredential=notebook-token:/var/lib/oneoff/tokens/%i",
      `ExecStart=${SCRIPTS}/fleet/notebook`,
      ...FOREVER,
      "NoNewPrivileges=yes",
    ],
    Install: ["WantedBy=multi-user.target"],
  });
