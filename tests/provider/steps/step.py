"""A step that does what its arguments say, on real Spark: the good and the bad that a cluster has to cope with."""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

import oneoff
import pyarrow as pa
from pyspark.sql import SparkSession


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--numbers", required=True, help="folder of the table")
    parser.add_argument("--sleep", type=float, default=0, help="seconds to keep a task busy")
    parser.add_argument("--fail", help="text to fail with")
    parser.add_argument("--leave", action="store_true", help="leave a process behind")
    parser.add_argument("--fill", action="store_true", help="write until the disk is full")
    parser.add_argument("--scratch", type=Path, help="folder that is there to leave a file in")
    parser.add_argument("--secret", type=Path, help="file whose text's length is written")
    args = parser.parse_args()
    spark = SparkSession.builder.getOrCreate()
    oneoff.progress("numbers", 1, 2)
    spark.sparkContext.parallelize([args.sleep], 1).foreach(time.sleep)
    if args.leave:
        subprocess.Popen(["sleep", "86413"], cwd=Path(args.numbers).parents[1])
    if args.fill:
        Path(args.numbers).mkdir(parents=True)
        with Path(args.numbers, ".fill").open("wb") as file:
            while True:
                file.write(bytes(1 << 20))
    if args.fail:
        sys.exit(args.fail)
    if args.scratch:
        (args.scratch / "kept").touch()
    number = len(args.secret.read_text()) if args.secret else 7
    oneoff.write_part(pa.table({"n": pa.array([number], pa.int64())}), args.numbers, "part")
    oneoff.progress("numbers", 2, 2)
    spark.stop()


if __name__ == "__main__":
    main()
