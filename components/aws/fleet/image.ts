/** What nodes start from: Amazon Linux 2023 on x86_64, as AWS names its AMIs in public parameters of Systems Manager (ADR 18). */
export interface Image {
  readonly parameter: string;
  /** Disk of the system: the AMI's own, what is installed, and what Spark shuffles. */
  readonly rootGibibytes: number;
}

/** For nodes without a GPU. */
export const NODE_IMAGE: Image = {
  parameter: "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64",
  rootGibibytes: 32,
};

/**
 * For nodes with one: Amazon's Deep Learning AMI with NVIDIA's open driver. Its snapshot has 75 GiB. Driver and families are those
 * of the release notes of that release, which is the newest one read; `latest` may be newer.
 */
export const GPU_IMAGE = {
  parameter: "/aws/service/deeplearning/ami/x86_64/base-oss-nvidia-driver-gpu-amazon-linux-2023/latest/ami-id",
  rootGibibytes: 100,
  release: "20260901",
  driver: "595.91.07",
  families: "g4dn g5 g6 gr6 gr6f g6e g6f g7 g7e p4d p4de p5 p5e p5en p6-b200 p6-b300".split(" "),
} as const satisfies Image & Readonly<Record<string, unknown>>;
