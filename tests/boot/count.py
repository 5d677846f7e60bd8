"""Counts, on every core that there is; for a job that needs nothing but Spark."""

import argparse
import time
from pathlib import Path

from pyspark.sql import SparkSession

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--numbers", required=True, help="address of the table")
parser.add_argument("--secret", nargs=2, metavar=("FILE", "TEXT"), help="fails unless it is there, in memory")
parser.add_argument("--then-sleep", type=float, default=0, metavar="SECONDS", help="before it ends")
options = parser.parse_args()
if options.secret:
    file, text = options.secret
    if Path(file).read_text() != text or not Path(file).resolve().is_relative_to("/run"):
        raise SystemExit(f"{Path(file).resolve()} is not {text!r} in memory")
spark = SparkSession.builder.getOrCreate()
spark.range(0, 1000, numPartitions=4).withColumnRenamed("id", "n").write.mode("overwrite").parquet(options.numbers)
time.sleep(options.then_sleep)
