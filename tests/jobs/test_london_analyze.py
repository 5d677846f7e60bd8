"""Step analyze of job london-power: its tables against sums in plain Python, and the days on which clocks change."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime, timezone
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import london_sample as sample
import oneoff
import pyarrow as pa
import pytest
from conftest import run_python, submit
from london_sample import Counted
from pyspark.sql import SparkSession

import analyze  # isort: skip - london_sample says where it is
import london_mongo  # isort: skip

SCRIPT = sample.FOLDER / "analyze.py"
COLUMNS = {
    name: [column.split(":")[0] for column in result.columns.split()] for name, result in analyze.RESULTS.items()
}
ROWS = sample.readings()


def arguments(readings: str, results: Path) -> list[str]:
    return [f"--readings={readings}", *(f"--{name.replace('_', '-')}={results / name}" for name in COLUMNS)]


def check_progress(output: str) -> None:
    told = [int(done) for done in re.findall(r"^\[oneoff\] queries (\d)/4$", output, re.MULTILINE)]
    assert told == [0, 1, 2, 3, 4]


@pytest.fixture(scope="module")
def readings(tmp_path_factory: pytest.TempPathFactory) -> str:
    return sample.write(tmp_path_factory.mktemp("readings"), ROWS)


@pytest.fixture(scope="module")
def spark() -> Iterator[SparkSession]:
    with sample.spark() as session:
        yield session


@pytest.fixture(scope="module")
def results(spark: SparkSession, readings: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of two cores."""
    folder = tmp_path_factory.mktemp("results")
    check_progress(sample.run_here(spark, analyze.main, arguments(readings, folder)))
    return folder


def read(folder: Path, name: str) -> list[dict[str, Any]]:
    table = oneoff.read_table(str(folder / name), COLUMNS[name])
    assert table is not None
    return table.to_pylist()


# The same in plain Python, with fractions -----------------------------------------------------------------------------


class Day:
    """A household's day."""

    def __init__(self, household: str, tariff: str, group: str, day: date) -> None:
        self.household, self.tariff, self.group, self.date = household, tariff, group, day
        self.month = f"{day.year}-{day.month:02d}"
        self.wh = self.readings = 0

    @property
    def part(self) -> Fraction:
        return Fraction(self.readings, sample.half_hours(self.date))

    @property
    def complete(self) -> bool:
        return self.part >= Fraction(9, 10)


def household_days() -> list[Day]:
    days: dict[tuple[str, date], Day] = {}
    for household, tariff, group, local, wh in sample.counted(ROWS):
        day = days.setdefault((household, local.date()), Day(household, tariff, group, local.date()))
        day.wh += wh
        day.readings += 1
    return list(days.values())


DAYS = household_days()


def by(key: Callable[[Any], Any], things: list[Any]) -> dict[Any, list[Any]]:
    groups = defaultdict(list)
    for thing in things:
        groups[key(thing)].append(thing)
    return dict(sorted(groups.items()))


def per_day(days: list[Day]) -> Fraction | None:
    complete = [day for day in days if day.complete]
    parts = sum(day.part for day in complete)
    return Fraction(sum(day.wh for day in complete), 1000) / parts if parts else None


def about(days: list[Day]) -> dict[str, Any]:
    used = per_day(days)
    return {
        "households": len({day.household for day in days if day.complete}),
        "kwh": pytest.approx(sum(day.wh for day in days) / 1000, rel=1e-12),
        "kwh_per_household_day": used and pytest.approx(float(used), rel=1e-12),
    }


def comparison(days: list[Day]) -> tuple[Fraction, Fraction, Fraction] | None:
    """Sums over Acorn groups that have both tariffs: of energy on either, weighted by household-days, and of those."""
    standard = time_of_use = weights = Fraction(0)
    for group in by(lambda day: day.group, days).values():
        tariffs = by(lambda day: day.tariff, [day for day in group if day.complete])
        if tariffs.keys() == {"Std", "ToU"}:
            weight = sum((day.part for several in tariffs.values() for day in several), Fraction(0))
            standard += weight * (per_day(tariffs["Std"]) or 0)
            time_of_use += weight * (per_day(tariffs["ToU"]) or 0)
            weights += weight
    return (standard, time_of_use, weights) if weights else None


def test_the_sample_has_what_is_tested() -> None:
    partial = [day for day in DAYS if not day.complete]
    assert {day.date for day in partial} >= {date(2012, 10, 27), date(2012, 10, 28), date(2013, 4, 3)}
    assert sum(row["kwh"] is None for row in ROWS) > 50
    assert len(sample.counted(ROWS)) < sum(row["kwh"] is not None for row in ROWS) - 20


def test_months_by_acorn_group(results: Path) -> None:
    groups = by(lambda day: (day.month, day.group), DAYS)
    expected = [{"month": month, "acorn_group": group, **about(days)} for (month, group), days in groups.items()]
    assert read(results, "monthly") == expected
    assert {row["acorn_group"] for row in expected} == {"Affluent", "Comfortable", "Adversity", "unknown"}


def test_months_by_tariff(results: Path) -> None:
    expected = []
    for month, in_month in by(lambda day: day.month, DAYS).items():
        compared = comparison(in_month)
        assert compared
        comparable = {"Std": compared[0] / compared[2], "ToU": compared[1] / compared[2]}
        for tariff, days in by(lambda day: day.tariff, in_month).items():
            same = pytest.approx(float(comparable[tariff]), rel=1e-12)
            expected.append({"month": month, "tariff": tariff, **about(days), "kwh_comparable": same})
    assert read(results, "tariffs") == expected


def test_load_curve(results: Path) -> None:
    def key(half_hour: Counted) -> tuple[str, str, int]:
        return half_hour.group, half_hour.tariff, half_hour.local.hour * 2 + half_hour.local.minute // 30

    expected = [
        {
            "half_hour": half_hour,
            "tariff": tariff,
            "acorn_group": group,
            "kwh": pytest.approx(sum(each.wh for each in several) / len(several) / 1000, rel=1e-12),
            "readings": len(several),
        }
        for (group, tariff, half_hour), several in by(key, sample.counted(ROWS)).items()
    ]
    assert read(results, "load_curve") == expected


def test_days_and_their_peak(results: Path) -> None:
    rows = read(results, "days")
    expected = []
    for day, several in by(lambda day: day.date, DAYS).items():
        used = per_day(several)
        expected.append(
            {
                "date": day,
                "half_hours": sample.half_hours(day),
                "households": sum(each.complete for each in several),
                "kwh": pytest.approx(sum(each.wh for each in several) / 1000, rel=1e-12),
                "kwh_per_household": used and pytest.approx(float(used), rel=1e-12),
            }
        )
    assert [{name: value for name, value in row.items() if name != "is_peak"} for row in rows] == expected
    # An hour of 3 April, the end of the readings by the clock of London, makes no day.
    assert (rows[-1]["date"], rows[-1]["households"], rows[-1]["kwh_per_household"]) == (date(2013, 4, 3), 0, None)
    assert [row["date"] for row in rows if row["is_peak"]] == [
        max((row for row in rows if row["households"]), key=lambda row: row["kwh_per_household"])["date"]
    ]


def test_summary(results: Path) -> None:
    (row,) = read(results, "summary")
    nulls = sum(reading["kwh"] is None for reading in ROWS)
    used = len(sample.counted(ROWS))
    peak = next(day for day in read(results, "days") if day["is_peak"])
    months = [comparison(days) for days in by(lambda day: day.month, DAYS).values()]
    standard, time_of_use = (sum(month[n] for month in months if month) for n in (0, 1))
    saving = float(1 - Fraction(time_of_use) / Fraction(standard))
    assert row.pop("findings") == (
        "The readings are from 25 October 2012 to 3 April 2013. A household used most on "
        f"{peak['date']:%A} {peak['date'].day} {peak['date']:%B %Y}: {peak['kwh_per_household']:.2f} kWh. "
        f"On the time-of-use tariff households used {abs(saving):.1%} {'less' if saving > 0 else 'more'} than on the "
        "standard one, compared within Acorn groups and months."
    )
    assert row == {
        "households": sample.HOUSEHOLDS,
        "readings": used,
        "nulls": nulls,
        "repeated": len(ROWS) - nulls - used,
        "first_day": date(2012, 10, 25),
        "last_day": date(2013, 4, 3),
        "kwh": pytest.approx(sum(each.wh for each in sample.counted(ROWS)) / 1000, rel=1e-12),
        "peak_day": peak["date"],
        "peak_kwh": peak["kwh_per_household"],
        "tou_saving": pytest.approx(saving, rel=1e-9),
    }


def test_days_have_46_and_50_half_hours_when_the_clocks_change(spark: SparkSession, tmp_path: Path) -> None:
    """Of one kWh in each half hour a day has as many as half hours."""
    begins = [(datetime(2012, 10, 26, 23), 4 * 48 + 2), (datetime(2013, 3, 30), 2 * 48)]
    times = [begin + slot * sample.HALF_HOUR for begin, slots in begins for slot in range(slots)]
    counts = analyze.count(spark, sample.write(tmp_path, [sample.reading(0, time, 1.0) for time in times]))
    days = {row["date"]: (row["half_hours"], row["kwh"], row["kwh_per_household"]) for row in analyze.days(counts)}
    assert days == {
        date(2012, 10, 27): (48, 48.0, 48.0),
        date(2012, 10, 28): (50, 50.0, 50.0),
        date(2012, 10, 29): (48, 48.0, 48.0),
        date(2012, 10, 30): (48, 48.0, 48.0),
        date(2013, 3, 30): (48, 48.0, 48.0),
        date(2013, 3, 31): (46, 46.0, 46.0),
        # The hour that is left of the next day is no day.
        date(2013, 4, 1): (48, 2.0, None),
    }
    readings = {row["half_hour"]: row["readings"] for row in analyze.load_curve(counts)}
    # From 01:00 to 02:00 there is an hour more in October and one less in March.
    assert readings == {**dict.fromkeys(range(48), 6), **{0: 7, 1: 7}}


def test_one_core_gives_the_same_tables(readings: str, results: Path, tmp_path: Path) -> None:
    """And the step can be submitted."""
    step = submit(SCRIPT, *arguments(readings, tmp_path), cores=1)
    output, _ = step.communicate()
    assert step.returncode == 0, output
    check_progress(output)
    for name, columns in COLUMNS.items():
        assert oneoff.digest(str(tmp_path / name), columns) == oneoff.digest(str(results / name), columns)


def day(households: int, kwh: float | None, number: int) -> dict[str, Any]:
    return {"date": date(2012, 1, number), "households": households, "kwh_per_household": kwh}


@pytest.mark.parametrize(
    ("rows", "peak"),
    [
        ([day(4, 50.0, 1), day(10, 8.0, 2), day(5, 9.0, 3)], 3),  # on the first too few count
        ([day(10, 9.0, 1), day(10, 9.0, 2)], 1),
        ([day(0, None, 1)], None),
        ([], None),
    ],
)
def test_peak_day(rows: list[dict[str, Any]], peak: int | None) -> None:
    assert analyze.peak_day(rows) == (peak and date(2012, 1, peak))


def test_tariffs_that_cannot_be_compared_are_not(spark: SparkSession, tmp_path: Path) -> None:
    times = [datetime(2012, 1, 2) + slot * sample.HALF_HOUR for slot in range(48)]
    # Household 1 is Affluent and on the time-of-use tariff, household 2 Comfortable and on the standard one.
    rows = [sample.reading(household, time, 0.5) for household in (1, 2) for time in times]
    counts = analyze.count(spark, sample.write(tmp_path, rows))
    assert [row["kwh_comparable"] for row in analyze.tariffs(counts)] == [None, None]
    (row,) = analyze.summary(counts)
    assert row["tou_saving"] is None
    assert row["findings"].endswith("No Acorn group has households on both tariffs to compare.")


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (None, "Path does not exist"),
        (pa.table({"household": ["MAC000002"]}), "tariff"),
        (pa.Table.from_pylist([], sample.lcl.schema()), "there are none; convert.py makes them"),
        (
            pa.Table.from_pylist([sample.reading(0, datetime(2012, 1, 1), None)] * 2, sample.lcl.schema()),
            "all 2 are null",
        ),
    ],
)
def test_readings_that_are_no_use(spark: SparkSession, tmp_path: Path, table: pa.Table | None, message: str) -> None:
    if table is not None:
        oneoff.write_part(table, str(tmp_path / "readings"), "part")
    with pytest.raises(ValueError, match=re.escape(message)):
        analyze.count(spark, str(tmp_path / "readings"))


def test_a_folder_that_is_not_there_is_told_in_one_line(tmp_path: Path) -> None:
    step = submit(SCRIPT, *arguments(f"{tmp_path}/none", tmp_path), cores=1)
    output, _ = step.communicate()
    assert step.returncode == 1
    assert (
        f"analyze.py: error: no readings to be had from {tmp_path}/none: "
        f"[PATH_NOT_FOUND] Path does not exist: file:{tmp_path}/none."
    ) in output.splitlines()


def test_bad_arguments() -> None:
    refused = run_python(SCRIPT, "--readings=r")
    assert refused.returncode == 2
    assert refused.stderr.startswith("analyze.py: error: the following arguments are required: --summary, --monthly")
    assert "--load-curve" in run_python(SCRIPT, "--help").stdout


# MongoDB -------------------------------------------------------------------------------------------------------------


class FakeCollection:
    def __init__(self, database: FakeDatabase, name: str) -> None:
        self.database, self.name = database, name

    def drop(self) -> None:
        self.database.collections.pop(self.name, None)

    def insert_many(self, documents: list[Mapping[str, Any]]) -> None:
        self.database.seen.append(sorted(self.database.collections))
        if self.database.fails:
            raise self.database.fails
        self.database.collections[self.name] += documents

    def rename(self, name: str, *, dropTarget: bool = False) -> None:
        assert dropTarget or name not in self.database.collections
        self.database.collections[name] = self.database.collections.pop(self.name)


class FakeDatabase:
    """What a MongoDB has, and which collections there were whenever something was inserted."""

    def __init__(self) -> None:
        self.fails: Exception | None = None
        self.collections: dict[str, list[Mapping[str, Any]]] = {}
        self.seen: list[list[str]] = []

    def __getitem__(self, name: str) -> FakeCollection:
        return FakeCollection(self, name)

    def create_collection(self, name: str) -> None:
        assert name not in self.collections
        self.collections[name] = []


@pytest.fixture
def database(monkeypatch: pytest.MonkeyPatch) -> FakeDatabase:
    """Stands for what a connection string leads to; it shows the order of commands, not that a server takes them."""
    import pymongo

    fake = FakeDatabase()

    class Client(SimpleNamespace):
        def __enter__(self) -> Client:
            return self

        def __exit__(self, *_: object) -> None: ...

        def get_default_database(self) -> FakeDatabase:
            return fake

    monkeypatch.setattr(pymongo, "MongoClient", lambda *_, **__: Client())
    return fake


@pytest.fixture
def uri(tmp_path: Path) -> str:
    (tmp_path / "uri").write_text("mongodb://oneoff:pass@127.0.0.1:9/power\n")
    return str(tmp_path / "uri")


def test_a_collection_is_replaced_whole(database: FakeDatabase, uri: str) -> None:
    database.collections = {"days": [{"_id": "old"}], "days_loading": [{"_id": "half"}]}
    london_mongo.replace_collection(uri, "days", [{"_id": "new"}])
    assert database.collections == {"days": [{"_id": "new"}]}
    assert database.seen == [["days", "days_loading"]]
    london_mongo.replace_collection(uri, "days", [])
    assert database.collections == {"days": []}


def test_a_load_that_fails_leaves_what_was_there(database: FakeDatabase, uri: str) -> None:
    from pymongo.errors import AutoReconnect

    database.collections = {"days": [{"_id": "old"}]}
    database.fails = AutoReconnect("mongo:27017: connection closed (configured timeouts: socketTimeoutMS: 20000.0ms)")
    with pytest.raises(ConnectionError) as failed:
        london_mongo.replace_collection(uri, "days", [{"_id": "new"}])
    assert str(failed.value) == (
        "MongoDB at 127.0.0.1:9: mongo:27017: connection closed; what was there before is there still"
    )
    assert database.collections["days"] == [{"_id": "old"}]
    database.fails = None
    london_mongo.replace_collection(uri, "days", [{"_id": "new"}])
    assert database.collections == {"days": [{"_id": "new"}]}


@pytest.mark.parametrize(
    "text", ["", "mongodb://", "postgres://oneoff:pass@mongo/power", "mongodb://o:pass@mongo:27017"]
)
def test_connection_strings_that_are_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "uri").write_text(text)
    with pytest.raises(ConnectionError, match="has no connection string with a database") as refused:
        london_mongo.replace_collection(str(tmp_path / "uri"), "days", [])
    assert "pass@" not in str(refused.value)
    with pytest.raises(ConnectionError, match="can't be read"):
        london_mongo.replace_collection(str(tmp_path / "none"), "days", [])


def test_documents_have_the_key_as_id_and_days_as_dates() -> None:
    table = pa.table({"date": [date(2012, 10, 28)], "tariff": ["Std"], "kwh": [1.5]})
    midnight = datetime(2012, 10, 28, tzinfo=timezone.utc)
    assert london_mongo.documents(table, ["date", "tariff"]) == [
        {"_id": "2012-10-28 Std", "date": midnight, "tariff": "Std", "kwh": 1.5}
    ]
