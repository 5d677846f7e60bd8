"""Counts, on every core that there is; for a job that needs nothing but Spark."""

import argparse
import time

from pyspark.sql import SparkSession

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--numbers", required=True, help="address of the table")
parser.add_argument("--then-sleep", type=float, default=0, metavar="SECONDS", help="before it ends")
options = parser.parse_args()
spark = SparkSession.builder.getOrCreate()
spark.range(0, 1000, numPartitions=4).withColumnRenamed("id", "n").write.mode("overwrite").parquet(options.numbers)
time.sleep(options.then_sleep)
