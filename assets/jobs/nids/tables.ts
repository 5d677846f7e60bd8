import type { Column, Table } from "../../../core/table.ts";
import { curves, networks, roc } from "../network-tables.ts";

/** Numbers of a flow: those that both layouts of UNSW-NB15 have, by its names, and those that NSL-KDD alone has. */
const UNSW = `dur sbytes dbytes sttl dttl sloss dloss sload dload spkts dpkts swin dwin smeansz dmeansz trans_depth res_bdy_len
  sjit djit sintpkt dintpkt tcprtt synack ackdat is_sm_ips_ports ct_state_ttl ct_flw_http_mthd is_ftp_login ct_ftp_cmd ct_srv_src
  ct_srv_dst ct_dst_ltm ct_src_ltm ct_src_dport_ltm ct_dst_sport_ltm ct_dst_src_ltm`;
const KDD = `land wrong_fragment urgent hot num_failed_logins logged_in num_compromised root_shell su_attempted num_root
  num_file_creations num_shells num_access_files num_outbound_cmds is_host_login is_guest_login count srv_count serror_rate
  srv_serror_rate rerror_rate srv_rerror_rate same_srv_rate diff_srv_rate srv_diff_host_rate dst_host_count dst_host_srv_count
  dst_host_same_srv_rate dst_host_diff_srv_rate dst_host_same_src_port_rate dst_host_srv_diff_host_rate dst_host_serror_rate
  dst_host_srv_serror_rate dst_host_rerror_rate dst_host_srv_rerror_rate`;

const UNITS: Readonly<Record<string, string>> = {
  ...{ dur: "s", tcprtt: "s", synack: "s", ackdat: "s", sintpkt: "ms", dintpkt: "ms", sjit: "ms", djit: "ms" },
  ...{ sbytes: "B", dbytes: "B", smeansz: "B", dmeansz: "B", res_bdy_len: "B", sload: "bit/s", dload: "bit/s" },
};

const words = (text: string) => text.split(/\s+/);
const number = (name: string): Column => ({
  name,
  type: "double",
  ...(UNITS[name] !== undefined && { unit: UNITS[name] }),
});

export const tables: readonly Table[] = [
  {
    name: "flows",
    about: "A network flow, its family, and whether networks learn from it, are measured on it or neither",
    columns: [
      { name: "flow", type: "integer" },
      // Of the data: "UNSW-NB15", "NSL-KDD" or "made up".
      { name: "origin", type: "string" },
      { name: "part", type: "string" },
      { name: "family", type: "string" },
      // What tells a flow, where the data set has it; no network learns from these.
      { name: "time", type: "timestamp" },
      { name: "srcip", type: "string" },
      { name: "sport", type: "integer" },
      { name: "dstip", type: "string" },
      { name: "dsport", type: "integer" },
      { name: "protocol", type: "string" },
      { name: "service", type: "string" },
      { name: "state", type: "string" },
      // Null where the data set doesn't have it.
      ...[...words(UNSW), ...words(KDD).map((name) => `kdd_${name}`)].map(number),
    ],
  },
  {
    name: "truth",
    about:
      "Of a flow that was made up: the logarithm of how many times likelier it is as an attack; networks don't see it",
    mayBeEmpty: true,
    columns: [
      { name: "flow", type: "integer" },
      { name: "log_ratio", type: "double" },
    ],
  },
  roc("Part of the attacks that a model detects at a part of false alarms among normal flows"),
  {
    name: "detection",
    about:
      "How many attacks a model detects at 1 % false alarms, beside the best that can be reached on the same flows",
    columns: [
      { name: "model", type: "string" },
      { name: "attacks", type: "integer" },
      { name: "normal", type: "integer" },
      // Area under the ROC curve.
      { name: "auc", type: "double" },
      { name: "detected", type: "double" },
      { name: "detected_se", type: "double" },
      // Null where flows were not made up: nobody knows it then.
      { name: "best", type: "double" },
    ],
  },
  {
    name: "families",
    about: "How many flows of an attack family a model detects at 1 % false alarms",
    columns: [
      { name: "model", type: "string" },
      { name: "family", type: "string" },
      { name: "flows", type: "integer" },
      { name: "detected", type: "double" },
      { name: "best", type: "double" },
    ],
  },
  {
    name: "confusion",
    about: "How many flows of a family the classifier takes for each family",
    columns: [
      { name: "family", type: "string" },
      { name: "predicted", type: "string" },
      { name: "flows", type: "integer" },
    ],
  },
  curves("flows"),
  networks(),
];

/** What PyTorch leaves: it follows from the seed but for the last digits, which depend on the processor, and so what rests on them. */
const UNEQUAL: Readonly<Record<string, readonly string[]>> = {
  roc: ["detected"],
  detection: ["auc", "detected", "detected_se"],
  families: ["detected"],
  curves: ["training_loss", "held_out_loss"],
  networks: ["onnx", "sha256", "golden", "threshold"],
};

/** Tables in which such numbers are left out of the digest. */
export const withoutEqualNumbers = (all: readonly Table[]): readonly Table[] =>
  all.map((table) => ({
    ...table,
    columns: table.columns.map((column) => ({
      ...column,
      ...(UNEQUAL[table.name]?.includes(column.name) && { measured: true }),
    })),
  }));
