/** Every way into the package, and what clusters may read beside their lakes. */
import { type Lifetime, UsageError } from "pulumi-oneoff";
import { AthenaDashboard, EmrCluster, type EmrClusterArgs, Network, Reaper, S3Lake } from "pulumi-oneoff/aws";
import { SwarmCluster, type SwarmClusterArgs, SwarmDashboard } from "pulumi-oneoff/docker";
import { BigQueryDashboard, DataprocCluster, type DataprocClusterArgs, GcpNetwork, GcsLake } from "pulumi-oneoff/gcp";
import { londonPower, xo } from "pulumi-oneoff/jobs";
import { LocalCluster, LocalDashboard, LocalLake } from "pulumi-oneoff/local";
import manifest from "pulumi-oneoff/package.json" with { type: "json" };
import { words } from "./words.ts";

const lifetime: Lifetime = { deadline: "90 minutes" };
const reads: Pick<EmrClusterArgs, "reads"> = { reads: ["s3://my-bucket/books"] };
const buckets: Pick<DataprocClusterArgs, "reads"> = { reads: ["my-bucket"] };
const folders: Pick<SwarmClusterArgs, "reads"> = { reads: ["/srv/books"] };
const bills = [
  EmrCluster.bill({ job: words, lifetime, region: "us-west-2", workers: { count: 2 }, ...reads }),
  DataprocCluster.bill({ job: words, lifetime, project: "my-project", region: "us-central1", ...buckets }),
];
SwarmCluster.check({ job: words, lake: { path: "/srv/lake" }, lifetime, workers: { count: 2 }, ...folders });
const made = [
  ...[AthenaDashboard, EmrCluster, Network, Reaper, S3Lake],
  ...[SwarmCluster, SwarmDashboard],
  ...[BigQueryDashboard, DataprocCluster, GcpNetwork, GcsLake],
  ...[LocalCluster, LocalDashboard, LocalLake],
];
console.log(
  JSON.stringify({
    package: manifest.name,
    components: made.map(({ name }) => name),
    bills: bills.map((bill) => bill.length > 0),
    steps: [xo(), londonPower()].map(({ steps }) => steps.map(({ name }) => name)),
    refusal: new UsageError("no") instanceof Error,
  }),
);
