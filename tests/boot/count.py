"""Counts, on every core that there is; for a job that needs nothing but Spark."""

import argparse

from pyspark.sql import SparkSession

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--numbers", required=True, help="address of the table")
options = parser.parse_args()
spark = SparkSession.builder.getOrCreate()
spark.range(0, 1000, numPartitions=4).withColumnRenamed("id", "n").write.mode("overwrite").parquet(options.numbers)
