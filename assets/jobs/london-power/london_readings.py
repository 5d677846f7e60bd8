"""How analyze.py and model.py of job london-power see the readings: each half hour of a household once, in London.

Energy is counted in whole watt-hours, which is what the meters do (three decimals of a kWh). Sums of them are exact, so
they are the same on any cluster, however its tasks divide and order the readings.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from lcl import UNKNOWN
from pyspark.sql import functions as F

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

LONDON = "Europe/London"
HALF_HOUR = 1_800  # seconds
COLUMNS = ("household", "tariff", "time", "kwh", "acorn_group")

_READINGS_PER_PARTITION = 250_000  # keeps a task below 100 MB
_LEAST_PARTITIONS = 8  # so that few readings are spread over the cores too


def fail(problem: str) -> NoReturn:
    """Ends the program with exit code 1 and one line, which is what a cluster shows of a step that failed."""
    sys.exit(f"{Path(sys.argv[0]).name}: error: {' '.join(problem.split())}")


@contextmanager
def spark_session(name: str) -> Iterator[SparkSession]:
    """A session whose calendar is UTC's. What goes wrong in Spark ends the program in one line."""
    from py4j.protocol import Py4JJavaError
    from pyspark.errors import PySparkException
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.appName(f"london-power: {name}").config("spark.sql.session.timeZone", "UTC")
    try:
        with builder.getOrCreate() as spark:
            yield spark
    except Py4JJavaError as failure:
        fail(_cause(failure.java_exception.getMessage() or str(failure)))
    except PySparkException as failure:
        fail(str(failure).splitlines()[0])


def _cause(message: str) -> str:
    """The innermost exception of a Java stack trace."""
    lines = [line for line in message.splitlines() if line and not line.startswith((" ", "\t", "Driver stacktrace"))]
    return lines[-1].removeprefix("Caused by: ")


def read(spark: SparkSession, folder: str) -> DataFrame:
    """The readings below `folder`, as they were published. Raises ValueError when there are none."""
    from pyspark.errors import AnalysisException

    try:
        return spark.read.parquet(folder).select(*COLUMNS)
    except AnalysisException as problem:
        raise ValueError(str(problem).splitlines()[0]) from None


def half_hours(readings: DataFrame, rows: int) -> DataFrame:
    """household, tariff, acorn_group, slot (half hours since 1970) and wh of each half hour that has a reading.

    Of readings that stand twice one counts, the largest where they differ. All rows of a household are in one
    partition, so grouping them further needs no other shuffle.

    rows: number of readings; with nothing else it decides how many partitions there are.
    """
    partitions = max(_LEAST_PARTITIONS, -(-rows // _READINGS_PER_PARTITION))
    key = (
        "household",
        *(F.coalesce(F.col(name), F.lit(UNKNOWN)).alias(name) for name in ("tariff", "acorn_group")),
        F.floor(F.unix_seconds(F.col("time").cast("timestamp")) / HALF_HOUR).cast("int").alias("slot"),
    )
    wh = F.round(F.col("kwh") * 1000).cast("long")
    read = readings.where("household IS NOT NULL AND time IS NOT NULL AND kwh IS NOT NULL").select(*key, wh.alias("wh"))
    spread = read.repartition(partitions, "household")
    return spread.groupBy("household", "tariff", "acorn_group", "slot").agg(F.max("wh").alias("wh"))


def local_time() -> Column:
    """London's time at the beginning of column `slot`. When the clocks go back, an hour stands twice."""
    return F.from_utc_timestamp(F.timestamp_seconds(F.col("slot").cast("long") * HALF_HOUR), LONDON)


def half_hour_of_day() -> Column:
    """0 to 47 for column `local`; on a day on which the clocks change two are missing or stand twice."""
    return (F.hour("local") * 2 + F.floor(F.minute("local") / 30)).cast("int")


def half_hours_of_day() -> Column:
    """How many half hours column `date` has in London: 48, or 46 or 50 when the clocks change."""

    def midnight(day: Column) -> Column:
        return F.unix_seconds(F.to_utc_timestamp(day.cast("timestamp"), LONDON))

    date = F.col("date")
    return ((midnight(F.date_add(date, 1)) - midnight(date)) / HALF_HOUR).cast("int")
