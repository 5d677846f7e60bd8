"""Has Spark load the classes that tests' steps use, for the archive that quick-java.ts makes of them."""

from __future__ import annotations

import sys

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

folder = sys.argv[1]
with SparkSession.builder.config("spark.sql.shuffle.partitions", "2").getOrCreate() as spark:
    rows = spark.sparkContext.parallelize(range(60), 2).map(lambda n: (n % 7, n * 0.5, "2012-10-12 00:30:00"))
    rows.toDF(["key", "value", "time"]).write.parquet(folder)
    read = spark.read.parquet(folder).withColumn("time", F.to_timestamp("time")).where("key > 0").persist()
    read.repartition(2, "key").groupBy("key").agg(F.max("value"), F.count_distinct("time")).orderBy("key").collect()
