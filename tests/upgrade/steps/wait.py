"""A step that is at work until a file is there, on real Spark."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import oneoff
import pyarrow as pa
from pyspark.sql import SparkSession


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", required=True, help="folder of the table")
    parser.add_argument("--until", type=Path, required=True, help="file that is waited for")
    args = parser.parse_args()
    spark = SparkSession.builder.getOrCreate()
    oneoff.progress("points", 0, 1)
    while not args.until.exists():
        time.sleep(0.1)
    ids = spark.sparkContext.parallelize(range(3)).collect()
    oneoff.write_part(pa.table({"id": pa.array(ids, pa.int64())}), args.points, "part")
    spark.stop()


if __name__ == "__main__":
    main()
