/** USD per unit, without any free tier. Months are of any length: `HOURS_PER_MONTH`. */
export interface UnitPrices {
  readonly pdStandardGibibyteMonth: number;
  readonly pdBalancedGibibyteMonth: number;
  readonly dataprocVcpuHour: number;
  /** A unit of Dataproc Serverless: 0.6 of it is a vCPU, 0.1 a GB of memory. */
  readonly dcuHour: number;
  /** Disk of a node of Dataproc Serverless. */
  readonly shuffleGibibyteMonth: number;
  /** Standard, in one region. */
  readonly gcsGibibyteMonth: number;
  /** Class A: writing and listing, per 1,000. */
  readonly gcsThousandWrites: number;
  /** Class B: reading, per 1,000. */
  readonly gcsThousandReads: number;
  readonly bigQueryTebibyteScanned: number;
  /** Uncompressed rows. */
  readonly bigQueryGibibyteMonth: number;
  readonly cloudRunVcpuSecond: number;
  readonly cloudRunGibibyteSecond: number;
  readonly logsGibibyte: number;
  readonly secretMonth: number;
}

/**
 * Google's list prices in USD, on demand, without tax and without any free tier. Sources, with the day on which each was
 * Google's current list:
 *
 * - e2 to n4, USD per vCPU and hour + USD per GiB and hour: 2026-07-30, Cloud Billing Catalog, by way of
 *   https://github.com/Cyclenerd/google-cloud-pricing-cost-calculator/blob/fd66b26/pricing.yml, whose prices per type these two
 *   figures give again, rounded up to seven digits. t2d has one shape only, so how its price is split is n2d's split; n4 has no
 *   pd-standard. A second reading of the catalog, https://github.com/skypilot-org/skypilot-catalog/blob/006059e/catalogs/v8/gcp/vms.csv,
 *   gives the same (tests/components/gcp/prices.test.ts).
 * - pd-standard and pd-balanced, USD per GiB and month: the first of these.
 * - GCS, Standard in one region, USD per GiB and month: the first of these, and https://cloud.google.com/storage/pricing.
 * - DCU, of Dataproc Serverless (standard), USD per hour, and its shuffle storage, USD per GiB and month: 2026-07-06,
 *   https://github.com/GoogleCloudPlatform/PerfKitBenchmarker/blob/0c17b5c/perfkitbenchmarker/providers/gcp/gcp_dpb_dataproc_serverless_prices.py,
 *   which is Google's. It lists neither europe-west10, europe-west12, africa-south1 nor me-*: there a DCU is 0.06 times what a
 *   core of n1 costs beside one in us-central1, and storage pd-standard's price, as it is in all listed regions.
 * - BigQuery, on demand, USD per TiB: 2026-09-18, https://cloud.google.com/bigquery/pricing as taken over by
 *   https://github.com/BenchBox-dev/BenchBox; rounded up where another copy has a dearer one. From one copy without a date:
 *   europe-west3, europe-west4, europe-west6, us-west3, asia-south1. Where no source was found it is 11.25, the dearest of all regions.
 *
 * To add a row, take these figures from the Cloud Billing Catalog; an API key without any rights is enough, and "nextPageToken"
 * leads on:
 *
 *     curl "https://cloudbilling.googleapis.com/v1/services/SERVICE/skus?key=KEY&pageSize=5000" |
 *       jq '.skus[] | select((.serviceRegions | index("REGION")) and .category.usageType == "OnDemand") |
 *         [.description, .pricingInfo[0].pricingExpression.usageUnit, .pricingInfo[0].pricingExpression.tieredRates[-1].unitPrice]'
 *
 * SERVICE is 6F81-5844-456A for Compute Engine ("N2 Instance Core running in ...", "N2 Instance Ram running in ...", "Storage PD
 * Capacity in ...", "Balanced PD Capacity in ..."), 95FF-2EF5-5EA1 for Cloud Storage ("Standard Storage ..."), 24E6-581D-38E5 for
 * BigQuery ("Analysis (REGION)"), 363B-8851-170D for Dataproc.
 *
 * "-" is a family that had no price in the region on that day. Not all that has one is offered in all zones.
 */
export const regionTable = `
region                   e2                   n1                   n2                   n2d                  t2d                  c3                   n4                   pd-standard  pd-balanced  GCS    DCU       shuffle  BigQuery
us-central1              0.0218116+0.0029236  0.031611+0.004237    0.031611+0.004237    0.027502+0.003686    0.027502+0.003686    0.03465+0.003938     0.03119+0.00354      0.04         0.1          0.02   0.06      0.04     6.25
us-east1                 0.0218116+0.0029236  0.031611+0.004237    0.031611+0.004237    0.027502+0.003686    0.027502+0.003686    0.03465+0.003938     0.03119+0.00354      0.04         0.1          0.02   0.06      0.04     6.25
us-east4                 0.0245675+0.003292   0.035605+0.004771    0.035605+0.004771    0.030976+0.004151    0.030976+0.004151    0.03465+0.003938     0.03119+0.00354      0.044        0.11         0.023  0.067572  0.044    6.25
us-east5                 0.0218116+0.0029236  0.031611+0.004237    0.031611+0.004237    0.027502+0.003686    0.027502+0.003686    0.03465+0.003938     0.03119+0.00354      0.04         0.1          0.02   0.06      0.04     6.25
us-south1                0.0257377+0.0034498  0.037301+0.0049997   0.037301+0.0049997   0.0324524+0.0043495  0.0324524+0.0043495  0.040887+0.0046469   0.0368042+0.0041772  0.0472       0.12         0.02   0.0708    0.0472   7.5
us-west1                 0.0218116+0.0029236  0.031611+0.004237    0.031611+0.004237    0.027502+0.003686    0.027502+0.003686    0.03465+0.003938     0.03119+0.00354      0.04         0.1          0.02   0.06      0.04     6.25
us-west2                 0.0261993+0.0035115  0.03797+0.005089     0.03797+0.005089     0.033034+0.004427    0.033034+0.004427    0.0416528+0.0047339  0.0374935+0.0042555  0.048        0.12         0.023  0.072071  0.048    8.4375
us-west3                 0.0261993+0.0035115  0.03797+0.005089     0.03797+0.005089     0.033034+0.004427    0.033034+0.004427    0.0416528+0.0047339  0.0374935+0.0042555  0.048        0.12         0.023  0.072071  0.048    8.44
us-west4                 0.0245675+0.003292   0.035605+0.004771    0.035603+0.004771    0.030976+0.004151    0.030976+0.004151    0.0390263+0.0044354  0.0351293+0.0039872  0.044        0.11         0.023  0.067572  0.044    6.25
northamerica-northeast1  0.0240134+0.0032182  0.034802+0.004664    0.034802+0.004664    0.030278+0.004058    0.030278+0.004058    0.0381532+0.0043362  0.0343434+0.0038979  0.044        0.11         0.023  0.066057  0.044    11.25
northamerica-northeast2  0.0240134+0.0032182  0.034802+0.004664    0.034802+0.004664    0.030278+0.004058    0.030278+0.004058    0.0381532+0.0043362  0.0343434+0.0038979  0.044        0.11         0.023  0.066057  0.044    11.25
southamerica-east1       0.0346242+0.0046403  0.05018+0.006725     0.05018+0.006725     0.043657+0.005851    0.043657+0.005851    0.0550208+0.0062532  0.0495266+0.0056212  0.06         0.15         0.035  0.095246  0.06     11.25
southamerica-west1       0.0311906+0.0041807  0.0452038+0.006059   0.0452038+0.006059   0.0393279+0.005271   0.0393279+0.005271   0.0495495+0.0056314  0.0446017+0.0050622  0.0572       0.143        0.03   0.08581   0.0572   8.9375
europe-central2          0.0263922+0.0035375  0.03825+0.005127     0.03825+0.005127     0.033277+0.00446     0.033277+0.00446     0.0419243+0.0047648  0.0377399+0.0042834  0.048        0.13         0.023  0.0726    0.048    11.25
europe-north1            0.0240162+0.0032182  0.034806+0.004664    0.034806+0.004664    0.030281+0.004058    0.030281+0.004058    0.0381532+0.0043362  0.0343434+0.0038979  0.044        0.11         0.02   0.066062  0.044    11.25
europe-southwest1        0.025738+0.00345     0.037301+0.0049997   0.037301+0.0049997   0.0324524+0.0043495  0.0324524+0.0043495  0.040887+0.0046469   0.0368042+0.0041772  0.0472       0.12         0.023  0.0708    0.0472   11.25
europe-west1             0.0239934+0.0032161  0.034773+0.004661    0.034773+0.004661    0.030253+0.004055    0.030253+0.004055    0.0381532+0.0043362  0.0343434+0.0038979  0.04         0.1          0.02   0.066007  0.04     7.5
europe-west2             0.0281037+0.0037661  0.04073+0.005458     0.04073+0.005458     0.035435+0.004748    0.035435+0.004748    0.039501+0.0044894   0.0355566+0.0040356  0.048        0.12         0.023  0.077307  0.048    7.82
europe-west3             0.0281037+0.0037661  0.04073+0.005458     0.04073+0.005458     0.035435+0.004748    0.035435+0.004748    0.040887+0.0046469   0.0368042+0.0041772  0.048        0.12         0.023  0.077307  0.048    8.13
europe-west4             0.0240134+0.0032182  0.034802+0.004664    0.034802+0.004664    0.030278+0.004058    0.030278+0.004058    0.0363825+0.0041349  0.0327495+0.003717   0.044        0.11         0.02   0.066057  0.044    7.5
europe-west6             0.0285723+0.0038298  0.041409+0.00555     0.041409+0.005551    0.036026+0.004829    0.036026+0.004829    0.045394+0.0051586   0.0408589+0.0046374  0.052        0.13         0.025  0.0786    0.052    8.75
europe-west8             0.025302+0.003391    0.0366688+0.004915   0.0366688+0.004915   0.0319024+0.0042758  0.0319024+0.0042758  0.040194+0.0045681   0.0361804+0.0041064  0.0464       0.116        0.023  0.0696    0.0464   11.25
europe-west9             0.025302+0.003391    0.0366688+0.004915   0.0366688+0.004915   0.0319024+0.0042758  0.0319024+0.0042758  0.040194+0.0045681   0.0361804+0.0041064  0.0464       0.116        0.023  0.0696    0.0464   11.25
europe-west10            0.0281047+0.0037662  0.0407314+0.0054582  0.0407314+0.0054582  0.0354369+0.0047478  0.0354369+0.0047478  0.040885+0.0046467   -                    0.0616       0.154        0.025  0.077312  0.0616   9.625
europe-west12            0.028137+0.0037714   0.0407782+0.0054658  0.0407782+0.0054658  0.0354776+0.004755   0.0354776+0.004755   0.0446985+0.0050801  -                    0.0516       0.12         0.023  0.0774    0.0516   8.0625
me-central1              0.0265011+0.0035521  0.0384074+0.005148   0.0384074+0.005148   0.033415+0.0044785   0.033415+0.0044785   0.0420998+0.0047847  0.0378959+0.0043011  0.0486       0.1215       0.023  0.0729    0.0486   7.59375
me-central2              0.0348986+0.0046777  0.0505776+0.0067792  0.0505776+0.0067792  0.0440032+0.0058976  0.0440032+0.0058976  0.05544+0.0063008    0.049904+0.005664    0.064        0.16         0.03   0.096     0.064    10
me-west1                 0.0239928+0.0032159  0.0347721+0.0046607  0.0347721+0.0046607  0.0302522+0.0040546  0.0302522+0.0040546  0.038115+0.0043318   0.034309+0.003894    0.044        0.11         0.021  0.066     0.044    7.5
africa-south1            0.0239934+0.0032161  0.034773+0.004661    0.034773+0.004661    0.030253+0.004055    0.030253+0.004055    0.0381531+0.0043361  0.0343434+0.0038979  0.05232      0.109788     0.02   0.066002  0.05232  7.5
asia-east1               0.0252554+0.0033852  0.036602+0.004906    0.036602+0.004906    0.031844+0.004268    0.031844+0.004268    0.0401213+0.0045599  0.0361149+0.004099   0.04         0.1          0.02   0.069477  0.04     7.1875
asia-east2               0.0305194+0.0040904  0.044231+0.005928    0.044231+0.005928    0.038481+0.005157    0.038481+0.005157    0.0484719+0.0055089  0.0436317+0.0049522  0.0498       0.11         0.023  0.083955  0.05     11.25
asia-northeast1          0.0280265+0.0037392  0.040618+0.005419    0.040618+0.005419    0.035338+0.004715    0.035338+0.004715    0.0444976+0.0050572  0.0400542+0.0045461  0.052        0.13         0.023  0.076976  0.052    7.5
asia-northeast2          0.0280265+0.0037392  0.040618+0.005419    0.040595+0.005441    0.035318+0.004734    0.035318+0.004734    0.0444976+0.0050572  0.0400542+0.0045461  0.052        0.13         0.023  0.076976  0.052    11.25
asia-northeast3          0.0280265+0.0037392  0.040618+0.005419    0.040595+0.005441    0.035318+0.004734    0.035318+0.004734    0.0444976+0.0050572  0.0400542+0.0045461  0.052        0.13         0.023  0.076976  0.052    11.25
asia-south1              0.0261993+0.0035108  0.03797+0.005088     0.03797+0.005088     0.018151+0.002433    0.018151+0.002433    0.036036+0.0040956   0.0324376+0.0036816  0.048        0.12         0.023  0.072071  0.048    7.5
asia-south2              0.0261993+0.0035108  0.03797+0.005088     0.03797+0.005088     0.033034+0.004427    0.033034+0.004427    0.0360372+0.0040957  0.0324376+0.0036816  0.048        0.12         0.023  0.072071  0.048    11.25
asia-southeast1          0.0269094+0.003606   0.038999+0.005226    0.038999+0.005226    0.033929+0.004547    0.033929+0.004547    0.0427478+0.0048584  0.0384791+0.0043673  0.044        0.11         0.02   0.074015  0.044    8.4375
asia-southeast2          0.0293312+0.0039305  0.042509+0.0056964   0.042509+0.0056964   0.0369827+0.0049563  0.0369827+0.0049563  0.0465939+0.0052955  0.0419412+0.0047603  0.052        0.13         0.023  0.080674  0.052    11.25
australia-southeast1     0.0309507+0.0041476  0.044856+0.006011    0.044856+0.006011    0.039025+0.00523     0.039025+0.00523     0.0433125+0.0049225  0.0389875+0.004425   0.054        0.135        0.023  0.085135  0.054    8.125
australia-southeast2     0.026308+0.003525    0.044856+0.006011    0.038128+0.005109    0.033171+0.004446    0.039025+0.00523     0.045045+0.0051194   0.040547+0.004602    0.054        0.135        0.023  0.085135  0.054    11.25
`;

/** What the oldest of the sources with a date says it is. */
export const pricesAsOf = "2026-07-06";

/**
 * What is the same in every region, or taken as if it were:
 *
 * - dataprocVcpuHour: https://cloud.google.com/dataproc/pricing
 * - gcsThousand*: operations on Standard in one region, class A and B, https://cloud.google.com/storage/pricing-examples
 * - bigQueryGibibyteMonth: active logical storage; above every figure found (0.02 in us, 0.023 in asia-south1).
 * - cloudRun*: jobs in regions of tier 2, which are dearer by four tenths than those of tier 1 (0.000018 and 0.000002,
 *   https://cloud.google.com/run/pricing).
 * - logsGibibyte: https://cloud.google.com/stackdriver/pricing, without the 50 GiB that are free in a month.
 * - secretMonth: an active version in one place, https://cloud.google.com/secret-manager/pricing
 */
export const unitTable = {
  dataprocVcpuHour: 0.01,
  gcsThousandWrites: 0.005,
  gcsThousandReads: 0.0004,
  bigQueryGibibyteMonth: 0.04,
  cloudRunVcpuSecond: 0.0000252,
  cloudRunGibibyteSecond: 0.0000028,
  logsGibibyte: 0.5,
  secretMonth: 0.06,
} as const satisfies Partial<UnitPrices>;

/** How many GiB a vCPU of a shape comes with, and in which numbers vCPUs come. */
interface Shape {
  readonly gibibytesPerVcpu: number;
  readonly vcpus: readonly number[];
}

const N2 = [2, 4, 8, 16, 32, 48, 64, 80, 96];
const N2D = [...N2, 128, 224];
const N4 = [2, 4, 8, 16, 32, 48, 64, 80];
const C3 = [4, 8, 22, 44, 88, 176];

/** The predefined shapes of the families, https://cloud.google.com/compute/docs/machine-resource, as the first source lists them. */
export const shapes: Readonly<Record<string, Readonly<Record<string, Shape>>>> = {
  e2: {
    standard: { gibibytesPerVcpu: 4, vcpus: [2, 4, 8, 16, 32] },
    highmem: { gibibytesPerVcpu: 8, vcpus: [2, 4, 8, 16] },
    highcpu: { gibibytesPerVcpu: 1, vcpus: [2, 4, 8, 16, 32] },
  },
  n1: {
    standard: { gibibytesPerVcpu: 3.75, vcpus: [1, 2, 4, 8, 16, 32, 64, 96] },
    highmem: { gibibytesPerVcpu: 6.5, vcpus: [2, 4, 8, 16, 32, 64, 96] },
    highcpu: { gibibytesPerVcpu: 0.9, vcpus: [2, 4, 8, 16, 32, 64, 96] },
  },
  n2: {
    standard: { gibibytesPerVcpu: 4, vcpus: [...N2, 128] },
    highmem: { gibibytesPerVcpu: 8, vcpus: N2 },
    highcpu: { gibibytesPerVcpu: 1, vcpus: N2 },
  },
  n2d: {
    standard: { gibibytesPerVcpu: 4, vcpus: N2D },
    highmem: { gibibytesPerVcpu: 8, vcpus: N2 },
    highcpu: { gibibytesPerVcpu: 1, vcpus: N2D },
  },
  t2d: { standard: { gibibytesPerVcpu: 4, vcpus: [1, 2, 4, 8, 16, 32, 48, 60] } },
  c3: {
    standard: { gibibytesPerVcpu: 4, vcpus: C3 },
    highmem: { gibibytesPerVcpu: 8, vcpus: C3 },
    highcpu: { gibibytesPerVcpu: 2, vcpus: C3 },
  },
  n4: {
    standard: { gibibytesPerVcpu: 4, vcpus: N4 },
    highmem: { gibibytesPerVcpu: 8, vcpus: N4 },
    highcpu: { gibibytesPerVcpu: 2, vcpus: N4 },
  },
};

/** Two vCPUs that get only a part of a core for long, and are billed for that part. */
export const sharedCore: Readonly<Record<string, { readonly billedVcpus: number; readonly memoryGiB: number }>> = {
  "e2-micro": { billedVcpus: 0.25, memoryGiB: 1 },
  "e2-small": { billedVcpus: 0.5, memoryGiB: 2 },
  "e2-medium": { billedVcpus: 1, memoryGiB: 4 },
};
