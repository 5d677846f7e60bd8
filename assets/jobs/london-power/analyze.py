"""Step analyze of job london-power: consumption by month, Acorn group, tariff, half hour and day.

Days, months and half hours are London's, so a day has 46 or 50 half hours when the clocks change. Spark counts energy
and readings by day, tariff and Acorn group, in whole numbers; what is divided is divided here, of a few thousand rows.

What a household uses on a day is measured on its days that lack at most a tenth of their half hours, and made up for
those that it lacks. The first and last days of the readings, of which a household may have an hour, would count its
nights for days otherwise.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from math import fsum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lcl
import london_mongo
import london_readings as readings_of
from pyspark.sql import functions as F

try:
    import oneoff
except ImportError:  # not submitted with --py-files: it lies one folder up
    sys.path.append(str(Path(__file__).resolve().parents[1]))
    import oneoff

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import Column, DataFrame, SparkSession

STANDARD, TIME_OF_USE = lcl.TARIFFS
Row = dict[str, Any]


@dataclass(frozen=True)
class Cell:
    """What the households of one tariff and Acorn group used on one day.

    readings and wh are of those households whose day is all but complete, of which there are `households`; all_wh is of
    every household. half_hours is how many the day has.
    """

    date: date
    tariff: str
    acorn_group: str
    half_hours: int
    households: int
    readings: int
    wh: int
    all_readings: int
    all_wh: int

    @property
    def month(self) -> str:
        """Such as "2012-10"."""
        return f"{self.date:%Y-%m}"

    @property
    def household_days(self) -> float:
        """A day of which a household has half the readings counts as half a day."""
        return self.readings / self.half_hours


@dataclass(frozen=True)
class Counts:
    """What Spark counts.

    rows and nulls: of the readings as published. households: how many have a day that is all but complete, by month,
    tariff and Acorn group, with None for all months.
    """

    rows: int
    nulls: int
    cells: Sequence[Cell]
    households: dict[tuple[str | None, str, str], int]
    curve: Sequence[Row]


def count(spark: SparkSession, folder: str) -> Counts:
    """Spark's part. Raises ValueError when there are no readings."""
    from pyspark import StorageLevel

    published = readings_of.read(spark, folder)
    oneoff.progress("queries", 0, 4)
    rows, given = published.agg(F.count("*"), F.count("kwh")).first()
    if given == 0:
        raise ValueError("there are none; convert.py makes them" if rows == 0 else f"all {rows} are null")
    oneoff.progress("queries", 1, 4)

    half_hours = readings_of.half_hours(published, rows).withColumn("local", readings_of.local_time())
    half_hours.persist(StorageLevel.MEMORY_AND_DISK)
    curve = _curve(half_hours)
    oneoff.progress("queries", 2, 4)

    days = _days(half_hours).persist(StorageLevel.MEMORY_AND_DISK)
    cells = [Cell(**row.asDict()) for row in _cells(days).collect()]
    oneoff.progress("queries", 3, 4)
    households = {tuple(row[:3]): row[3] for row in _households(days).collect()}
    oneoff.progress("queries", 4, 4)
    return Counts(rows, rows - given, sorted(cells, key=lambda cell: cell.date), households, curve)


def _curve(half_hours: DataFrame) -> list[Row]:
    curve = half_hours.groupBy(readings_of.half_hour_of_day().alias("half_hour"), "tariff", "acorn_group").agg(
        F.sum("wh").alias("wh"), F.count("*").alias("readings")
    )
    return [row.asDict() for row in curve.collect()]


def _days(half_hours: DataFrame) -> DataFrame:
    """A row per household and day; `complete` when at most a tenth of its half hours are missing."""
    by_day = half_hours.groupBy("household", "tariff", "acorn_group", F.to_date("local").alias("date"))
    days = by_day.agg(F.sum("wh").alias("wh"), F.count("*").cast("int").alias("readings"))
    days = days.withColumn("half_hours", readings_of.half_hours_of_day())
    return days.withColumn("complete", F.col("readings") * 10 >= F.col("half_hours") * 9)


def _cells(days: DataFrame) -> DataFrame:
    def complete(column: str) -> Column:
        return F.sum(F.when(F.col("complete"), F.col(column)).otherwise(0))

    return (
        days.withColumn("one", F.lit(1))
        .groupBy("date", "tariff", "acorn_group", "half_hours")
        .agg(
            complete("one").alias("households"),
            complete("readings").alias("readings"),
            complete("wh").alias("wh"),
            F.sum("readings").alias("all_readings"),
            F.sum("wh").alias("all_wh"),
        )
    )


def _households(days: DataFrame) -> DataFrame:
    months = days.where("complete").withColumn("month", F.date_format("date", "yyyy-MM"))
    by_month = months.groupBy("month", "tariff", "acorn_group").agg(F.count_distinct("household"))
    whole = months.groupBy(F.lit(None).cast("string"), "tariff", "acorn_group").agg(F.count_distinct("household"))
    return by_month.union(whole)


# Results -------------------------------------------------------------------------------------------------------------


def kwh(cells: Iterable[Cell]) -> float:
    """Energy of all readings."""
    return sum(cell.all_wh for cell in cells) / 1000


def per_household_day(cells: Sequence[Cell]) -> float | None:
    """kWh that a household uses on a day; None when no day of a household is complete."""
    days = fsum(cell.household_days for cell in cells)
    return sum(cell.wh for cell in cells) / 1000 / days if days else None


def grouped(cells: Iterable[Cell], key: Callable[[Cell], Any]) -> dict[Any, list[Cell]]:
    """Cells by `key`, in order of it."""
    groups: dict[Any, list[Cell]] = {}
    for cell in cells:
        groups.setdefault(key(cell), []).append(cell)
    return dict(sorted(groups.items()))


def monthly(counts: Counts) -> list[Row]:
    """A row per month and Acorn group."""
    return [
        {
            "month": month,
            "acorn_group": group,
            "households": sum(n for (m, _, g), n in counts.households.items() if (m, g) == (month, group)),
            "kwh": kwh(cells),
            "kwh_per_household_day": per_household_day(cells),
        }
        for (month, group), cells in grouped(counts.cells, lambda cell: (cell.month, cell.acorn_group)).items()
    ]


@dataclass(frozen=True)
class Comparison:
    """What a household on each tariff uses on a day of a month if both had equal parts of each Acorn group.

    household_days: of the households that are compared.
    """

    standard: float
    time_of_use: float
    household_days: float


def compare(cells: Sequence[Cell]) -> Comparison | None:
    """Compares the tariffs in one month: mean over Acorn groups, each counting by its household-days on both.

    Without that, a tariff that more affluent households chose would seem to waste energy. Groups with households on one
    of the tariffs only are left out; None when no group is left.
    """
    compared = []
    for group in grouped(cells, lambda cell: cell.acorn_group).values():
        by_tariff = grouped(group, lambda cell: cell.tariff)
        standard, time_of_use = (per_household_day(by_tariff.get(name, [])) for name in (STANDARD, TIME_OF_USE))
        if standard is not None and time_of_use is not None:
            both = fsum(cell.household_days for name in (STANDARD, TIME_OF_USE) for cell in by_tariff[name])
            compared.append(Comparison(standard, time_of_use, both))
    return combine(compared)


def combine(comparisons: Sequence[Comparison]) -> Comparison | None:
    """Their mean, each counting by its household-days; None of none."""
    days = fsum(c.household_days for c in comparisons)
    if not days:
        return None
    standard = fsum(c.standard * c.household_days for c in comparisons) / days
    time_of_use = fsum(c.time_of_use * c.household_days for c in comparisons) / days
    return Comparison(standard, time_of_use, days)


def tariffs(counts: Counts) -> list[Row]:
    """A row per month and tariff."""
    rows = []
    for month, in_month in grouped(counts.cells, lambda cell: cell.month).items():
        comparison = compare(in_month)
        comparable = {STANDARD: comparison.standard, TIME_OF_USE: comparison.time_of_use} if comparison else {}
        for tariff, cells in grouped(in_month, lambda cell: cell.tariff).items():
            households = sum(n for (m, t, _), n in counts.households.items() if (m, t) == (month, tariff))
            rows.append(
                {
                    "month": month,
                    "tariff": tariff,
                    "households": households,
                    "kwh": kwh(cells),
                    "kwh_per_household_day": per_household_day(cells),
                    "kwh_comparable": comparable.get(tariff),
                }
            )
    return rows


def saving(counts: Counts) -> float | None:
    """Part of its energy that a household saves by the time-of-use tariff, over all months."""
    months = [compare(cells) for cells in grouped(counts.cells, lambda cell: cell.month).values()]
    both = combine([month for month in months if month])
    return 1 - both.time_of_use / both.standard if both and both.standard else None


def load_curve(counts: Counts) -> list[Row]:
    """A row per half hour, tariff and Acorn group."""
    rows = [
        {**{name: value for name, value in row.items() if name != "wh"}, "kwh": row["wh"] / row["readings"] / 1000}
        for row in counts.curve
    ]
    return sorted(rows, key=lambda row: (row["acorn_group"], row["tariff"], row["half_hour"]))


def days(counts: Counts) -> list[Row]:
    """A row per day."""
    rows = []
    for day, cells in grouped(counts.cells, lambda cell: cell.date).items():
        used = per_household_day(cells)
        households = sum(cell.households for cell in cells)
        half_hours = cells[0].half_hours
        about = {"date": day, "half_hours": half_hours, "households": households}
        rows.append({**about, "kwh": kwh(cells), "kwh_per_household": used, "is_peak": False})
    peak = peak_day(rows)
    return [{**row, "is_peak": row["date"] == peak} for row in rows]


def peak_day(rows: Sequence[Row]) -> date | None:
    """The day on which a household used most: the first of several.

    Only days for which at least half as many households count as on the day with the most: the first weeks of the trial
    had a few.
    """
    most = max((row["households"] for row in rows), default=0)
    enough = [row for row in rows if row["households"] * 2 >= most > 0]
    return max(enough, key=lambda row: row["kwh_per_household"])["date"] if enough else None


def summary(counts: Counts) -> list[Row]:
    """One row."""
    used = sum(cell.all_readings for cell in counts.cells)
    peak = next((row for row in days(counts) if row["is_peak"]), None)
    row: Row = {
        "households": sum(n for (month, _, _), n in counts.households.items() if month is None),
        "readings": used,
        "nulls": counts.nulls,
        "repeated": counts.rows - counts.nulls - used,
        "first_day": counts.cells[0].date,
        "last_day": counts.cells[-1].date,
        "kwh": kwh(counts.cells),
        "peak_day": peak and peak["date"],
        "peak_kwh": peak and peak["kwh_per_household"],
        "tou_saving": saving(counts),
    }
    return [{**row, "findings": findings(row)}]


def findings(row: Row) -> str:
    """A row of `summary` in words."""
    said = [f"The readings are from {_spoken(row['first_day'])} to {_spoken(row['last_day'])}."]
    if row["peak_day"]:
        said.append(
            f"A household used most on {row['peak_day']:%A} {_spoken(row['peak_day'])}: {row['peak_kwh']:.2f} kWh."
        )
    if row["tou_saving"] is None:
        said.append("No Acorn group has households on both tariffs to compare.")
    else:
        less = "less" if row["tou_saving"] >= 0 else "more"
        said.append(
            f"On the time-of-use tariff households used {abs(row['tou_saving']):.1%} {less} than on the standard one, "
            "compared within Acorn groups and months."
        )
    return " ".join(said)


def _spoken(day: date) -> str:
    return f"{day.day} {day:%B %Y}"


@dataclass(frozen=True)
class Result:
    """A table: its columns with their types in Arrow, those that make a row unique, and how its rows are made."""

    columns: str
    key: tuple[str, ...]
    rows: Callable[[Counts], list[Row]]

    def table(self, counts: Counts) -> pa.Table:
        """The table itself."""
        import pyarrow as pa

        pairs = (column.split(":") for column in self.columns.split())
        return pa.Table.from_pylist(self.rows(counts), pa.schema([(n, pa.type_for_alias(kind)) for n, kind in pairs]))


RESULTS = {
    "summary": Result(
        "households:int64 readings:int64 nulls:int64 repeated:int64 first_day:date32 last_day:date32 kwh:float64 "
        "peak_day:date32 peak_kwh:float64 tou_saving:float64 findings:string",
        ("first_day", "last_day"),
        summary,
    ),
    "monthly": Result(
        "month:string acorn_group:string households:int64 kwh:float64 kwh_per_household_day:float64",
        ("month", "acorn_group"),
        monthly,
    ),
    "tariffs": Result(
        "month:string tariff:string households:int64 kwh:float64 kwh_per_household_day:float64 kwh_comparable:float64",
        ("month", "tariff"),
        tariffs,
    ),
    "load_curve": Result(
        "half_hour:int64 tariff:string acorn_group:string kwh:float64 readings:int64",
        ("acorn_group", "tariff", "half_hour"),
        load_curve,
    ),
    "days": Result(
        "date:date32 half_hours:int64 households:int64 kwh:float64 kwh_per_household:float64 is_peak:bool",
        ("date",),
        days,
    ),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = oneoff.ArgumentParser(description="Consumption by month, Acorn group, tariff, half hour and day.")
    parser.add_argument("--readings", required=True, metavar="FOLDER", help="part files of convert.py")
    for name in RESULTS:
        parser.add_argument(f"--{name.replace('_', '-')}", required=True, metavar="FOLDER", help=f"where {name} goes")
    parser.add_argument("--mongo-uri", metavar="FILE", help="a connection string: the results go to MongoDB too")
    options: argparse.Namespace = parser.parse_args(arguments)

    with readings_of.spark_session("analyze") as spark:
        try:
            counts = count(spark, options.readings)
        except ValueError as problem:
            readings_of.fail(f"no readings to be had from {options.readings}: {problem}")
    for name, result in RESULTS.items():
        table = result.table(counts)
        oneoff.write_part(table, getattr(options, name), name)
        if options.mongo_uri:
            try:
                london_mongo.replace_collection(options.mongo_uri, name, london_mongo.documents(table, result.key))
            except ConnectionError as problem:
                readings_of.fail(f"{name}: {problem}")


if __name__ == "__main__":
    main()
