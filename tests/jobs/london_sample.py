"""A few readings with every quirk, both days on which the clocks change, and what counts of them, in plain Python."""

from __future__ import annotations

import io
import random
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any, NamedTuple

import oneoff
import pyarrow as pa
import pytest
from conftest import JOBS
from pyspark.sql import SparkSession

FOLDER = JOBS / "london-power"
sys.path.append(str(FOLDER))  # behind xo's, which has a generate.py too

import lcl  # noqa: E402 - found through the line above
import london_readings  # noqa: E402

HALF_HOUR = timedelta(minutes=30)
# Of households, in turn. Adversity has nobody on the time-of-use tariff.
KINDS = (
    ("Std", "Affluent"),
    ("ToU", "Affluent"),
    ("Std", "Comfortable"),
    ("Std", "Adversity"),
    ("ToU", "Comfortable"),
    ("Std", None),
)
HOUSEHOLDS = 15
# GMT. In the first the clocks go back, in the second they go forward; it ends an hour into a day of summer time.
WINDOWS = ((datetime(2012, 10, 25), 9), (datetime(2013, 3, 29), 5))
BRITISH_SUMMER_TIMES = (
    (datetime(2012, 3, 25, 1), datetime(2012, 10, 28, 1)),
    (datetime(2013, 3, 31, 1), datetime(2013, 10, 27, 1)),
)


class Counted(NamedTuple):
    """A half hour of a household that counts; `local` is the clock of London."""

    household: str
    tariff: str
    group: str
    local: datetime
    wh: int


def london(time: datetime) -> datetime:
    summer = any(begin <= time < end for begin, end in BRITISH_SUMMER_TIMES)
    return time + timedelta(hours=1) if summer else time


def half_hours(day: date) -> int:
    return {date(2012, 10, 28): 50, date(2013, 3, 31): 46}.get(day, 48)


def reading(household: int, time: datetime, kwh: float | None) -> dict[str, Any]:
    tariff, group = KINDS[household % len(KINDS)]
    about = {"household": f"MAC{household:06d}", "tariff": tariff, "acorn": None, "acorn_group": group}
    return {**about, "time": time.replace(tzinfo=timezone.utc), "kwh": kwh}


def readings() -> list[dict[str, Any]]:
    chance = random.Random(5)
    rows = []
    for household in range(HOUSEHOLDS):
        level = chance.uniform(0.8, 1.25) * {"Affluent": 0.6, "Comfortable": 0.4}.get(
            KINDS[household % 6][1] or "", 0.3
        )
        for begin, days in WINDOWS:
            for slot in range(days * 48):
                time = begin + slot * HALF_HOUR
                local = london(time)
                if household == 3 and time < begin + timedelta(days=2, hours=11):
                    continue  # it joins late
                if household == 4 and begin + timedelta(days=3) <= time < begin + timedelta(days=3, hours=10):
                    continue  # too little is left of that day
                evening = 2.0 if local.hour in range(17, 22) else 1.0
                rest = 1.3 if local.isoweekday() > 5 else 1.0
                kwh = round(level * evening * rest * chance.uniform(0.8, 1.2), 3)
                rows.append(reading(household, time, None if chance.random() < 0.01 else kwh))
    repeated = [dict(row) for row in chance.sample(rows, 40)]
    for row in repeated[:10]:
        row["kwh"] = chance.choice([None, 0.001, 2.5])
    odd = [reading(n, datetime(2012, 10, 29, 15, 13, 41), None) for n in range(5)]
    return [*rows, *repeated, *odd]


def write(folder: Path, rows: Sequence[dict[str, Any]]) -> str:
    """As three part files, for as many tasks."""
    for part in range(3):
        oneoff.write_part(pa.Table.from_pylist(rows[part::3], lcl.schema()), str(folder), f"part-{part}")
    return str(folder)


def counted(rows: Sequence[dict[str, Any]]) -> list[Counted]:
    """Each half hour once, without nulls; the largest of several readings."""
    largest: dict[tuple[str, datetime], Counted] = {}
    for row in rows:
        if row["kwh"] is None:
            continue
        time = row["time"].replace(tzinfo=None)
        about = (row["household"], row["tariff"], row["acorn_group"] or "unknown")
        new = Counted(*about, london(time), round(row["kwh"] * 1000))
        old = largest.setdefault((row["household"], time), new)
        if new.wh > old.wh:
            largest[row["household"], time] = new
    return list(largest.values())


@contextmanager
def spark() -> Iterator[SparkSession]:
    """A session on two cores of this process."""
    builder = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
    builder = builder.config("spark.sql.shuffle.partitions", "4")
    java = builder.config("spark.driver.extraJavaOptions", "-XX:TieredStopAtLevel=1")
    with java.config("spark.sql.session.timeZone", "UTC").getOrCreate() as session:
        session.sparkContext.setLogLevel("ERROR")
        yield session


def run_here(session: SparkSession, main: Callable[[Sequence[str]], None], arguments: Sequence[str]) -> str:
    """Runs a step in a session of this process, which is there already; returns what it prints."""

    @contextmanager
    def same(_: str) -> Iterator[SparkSession]:
        yield session

    with pytest.MonkeyPatch.context() as patch, redirect_stdout(io.StringIO()) as printed:
        patch.setattr(london_readings, "spark_session", same)
        main(arguments)
    return printed.getvalue()
