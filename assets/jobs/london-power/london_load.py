"""How convert.py loads the readings into MongoDB: a document for each day of a household.

What is said of the input and of what became of it is the same for Parquet.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from itertools import islice, pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import lcl
import london_mongo
import oneoff

if TYPE_CHECKING:
    import pyarrow as pa
    from pymongo.collection import Collection
    from pyspark import SparkContext

SHOWN = 3  # rejected lines that are printed
FOOTERS_AT_ONCE = 16

COLLECTION = "readings"
INDEX = (("household", 1), ("date", 1))
DOCUMENTS_AT_ONCE = 1_000
READINGS_PER_SHARD = 1_000_000
LEAST_SHARDS = 8  # so that few readings are spread over the cores too
HALF_HOUR = 30 * 60 * 1_000_000  # in microseconds
DAY = lcl.HALF_HOURS * HALF_HOUR
DUPLICATE_KEY = 11000

# What has become of a part: readings, rejected lines for each reason, and some of them to show.
Outcome = tuple[int, "Counter[str]", list[str]]
# Readings, and lines that are none, some at a time.
Readings = Iterator[tuple["pa.Table", list[lcl.Rejected]]]


class Part(NamedTuple):
    """A part of the input: some bytes of a CSV file, or row groups of a Parquet file."""

    file: str  # its address
    number: int  # among all parts
    start: int
    end: int
    name: str  # of the file, below the input: where that is differs from cluster to cluster
    width: int  # columns of the file


class Plan(NamedTuple):
    """How the input is divided, which depends on nothing but the input."""

    parts: list[Part]
    rows: int  # about
    name: str  # what the names of all part files begin with
    households: lcl.Households  # for files without Acorn
    notes: list[str]  # what to tell of the input


def summary(file: str, rows: int, faults: Sequence[lcl.Rejected]) -> Outcome:
    """Of a part: how many readings, how many lines were rejected for each reason, and some of them to show."""
    shown = [f"{file}, byte {offset}: {reason}: {lcl.shown(line)}" for offset, reason, line in faults[:SHOWN]]
    return rows, Counter(reason for _, reason, _ in faults), shown


def tell(outcomes: Sequence[Outcome], into: str) -> None:
    """Prints what has become of all lines."""
    reasons: Counter[str] = sum((reasons for _, reasons, _ in outcomes), Counter())
    print(f"{sum(rows for rows, _, _ in outcomes):,} readings {into}, {reasons.total():,} lines rejected")
    for line in sorted(line for _, _, shown in outcomes for line in shown)[:SHOWN]:
        print(f"rejected: {line}")
    if reasons:
        print(f"reasons: {', '.join(f'{reason} ({number:,})' for reason, number in sorted(reasons.items()))}")


# Table `readings` ----------------------------------------------------------------------------------------------------


def plan_parquet(address: str) -> Plan:
    """Divides the part files of table `readings`. Raises ValueError or OSError when the input is of no use."""
    import pyarrow.parquet as pq

    expected = f"{address}: expected Parquet files with the columns {', '.join(lcl.COLUMNS)}"

    def groups(name: str) -> list[tuple[str, int, int]]:
        with oneoff.open_file(name) as file:
            metadata = pq.ParquetFile(file).metadata
        if set(lcl.COLUMNS) - set(metadata.schema.names):
            raise ValueError(f"{expected}, found {', '.join(metadata.schema.names)} in {name}")
        return [(name, n, metadata.row_group(n).num_rows) for n in range(metadata.num_row_groups)]

    files = [name for name, _ in oneoff.list_files(address) if name.endswith(".parquet")]
    with ThreadPoolExecutor(FOOTERS_AT_ONCE) as threads:
        found = [group for several in threads.map(groups, files) for group in several]
    if not found:
        raise ValueError(f"{expected}, found none")
    width = len(lcl.COLUMNS)
    parts = [Part(file, n, group, group + 1, file, width) for n, (file, group, _) in enumerate(found)]
    return Plan(parts, sum(rows for _, _, rows in found), "", {}, [])


def read_parquet(part: Part) -> Readings:
    """Readings of some row groups, text as dictionaries. None of them is rejected."""
    import pyarrow.parquet as pq

    text = [column for column in lcl.COLUMNS if column not in ("time", "kwh")]
    with oneoff.open_file(part.file) as file:
        parquet = pq.ParquetFile(file, read_dictionary=text)
        yield parquet.read_row_groups(range(part.start, part.end), columns=list(lcl.COLUMNS), use_threads=False), []


# Documents -----------------------------------------------------------------------------------------------------------


def shares(part: Part, table: pa.Table, shards: int) -> Iterator[tuple[int, tuple[int, bytes]]]:
    """The readings of a part for each shard, as (shard, (number of the part, Arrow's stream)).

    All readings of a household are of one shard, for one day of it may be spread over several parts.
    """
    import numpy as np
    import pyarrow as pa

    table = table.select(["household", "tariff", "time", "kwh", "acorn_group"]).combine_chunks()
    household = table["household"].chunk(0)
    shard_of = np.array([zlib.crc32(name.encode()) % shards for name in household.dictionary.to_pylist()])
    shard = shard_of[household.indices.to_numpy()]
    order = np.argsort(shard, kind="stable")
    table, shard = table.take(order), shard[order]
    cuts = [0, *(np.flatnonzero(np.diff(shard)) + 1).tolist(), len(shard)]
    for first, last in pairwise(cuts):
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, table.schema) as stream:
            stream.write_table(table.slice(first, last - first))
        yield int(shard[first]), (part.number, sink.getvalue().to_pybytes())


def documents(table: pa.Table) -> Iterator[dict[str, Any]]:
    """One document per household and day, with the readings of its half hours in GMT, null where there is none.

    Of several readings of one half hour the largest counts, so that it makes no difference which came first.
    """
    import numpy as np

    table = table.unify_dictionaries().combine_chunks()
    text = {name: table[name].chunk(0) for name in ("household", "tariff", "acorn_group")}
    day, within = np.divmod(table["time"].to_numpy().astype("datetime64[us]").astype(np.int64), DAY)
    kwh = table["kwh"].to_numpy()
    first_day = day.min()
    key = text["household"].indices.to_numpy().astype(np.int64) << 32 | (day - first_day)
    _, first, document = np.unique(key, return_index=True, return_inverse=True)
    largest_last = np.argsort(np.where(np.isnan(kwh), -np.inf, kwh), kind="stable")
    buckets = np.full((len(first), lcl.HALF_HOURS), np.nan)
    buckets[document[largest_last], within[largest_last] // HALF_HOUR] = kwh[largest_last]
    dates = day[first].astype("datetime64[D]").tolist()
    columns = {name: array.take(first).to_pylist() for name, array in text.items()}
    for household, tariff, group, date, values in zip(*columns.values(), dates, buckets, strict=True):
        yield {
            "_id": f"{household} {date}",
            "household": household,
            "tariff": tariff,
            "acorn_group": group,
            "date": datetime(date.year, date.month, date.day, tzinfo=timezone.utc),
            "kwh": [None if value != value else value for value in values.tolist()],
        }


def insert(target: Collection, several: Iterable[dict[str, Any]]) -> int:
    """Adds documents; how many there were. Those that an earlier attempt has added are the same, and stay."""
    from pymongo.errors import BulkWriteError

    number, rest = 0, iter(several)
    while batch := list(islice(rest, DOCUMENTS_AT_ONCE)):
        try:
            target.insert_many(batch, ordered=False)
        except BulkWriteError as problem:
            faults = [fault for fault in problem.details["writeErrors"] if fault["code"] != DUPLICATE_KEY]
            if faults or problem.details.get("writeConcernErrors"):
                raise
        number += len(batch)
    return number


# MongoDB -------------------------------------------------------------------------------------------------------------


def begin(uri: str) -> None:
    """Makes room for what is to be loaded. Raises ConnectionError."""
    # The index grows with the documents: made of all of them at once, it takes more memory than a small server has.
    with london_mongo.database(uri) as database:
        london_mongo.begin(database, COLLECTION, INDEX)


def load(spark: SparkContext, uri: str, plan: Plan, read: Callable[[Part], Readings]) -> tuple[int, list[Outcome]]:
    """Loads what the parts have; returns the number of documents and what has become of the parts.

    uri: MongoDB's connection string, by which executors connect too. When a task fails for good the program ends.
    """
    shards = max(LEAST_SHARDS, -(-plan.rows // READINGS_PER_SHARD))
    halves = spark.accumulator(0)  # a reading counts when it is read, and when it is written

    def share(part: Part) -> Iterator[tuple[int, tuple[int, bytes | Outcome]]]:
        found = list(read(part))
        faults = [fault for _, several in found for fault in several]
        rows = sum(table.num_rows for table, _ in found)
        if rows:
            yield from shares(part, lcl.readings([table for table, _ in found]), shards)
        halves.add(rows)
        yield part.number % shards, (part.number, summary(part.file, rows, faults))

    def put(given: Iterable[tuple[int, tuple[int, bytes | Outcome]]]) -> Iterator[tuple[int, list[Outcome]]]:
        import pyarrow as pa

        # Pieces come in any order: sorted, what is made of them is always the same.
        pieces = sorted((piece for _, piece in given), key=lambda piece: piece[0])
        tables = [pa.ipc.open_stream(piece).read_all() for _, piece in pieces if isinstance(piece, bytes)]
        number = 0
        if tables:
            with london_mongo.database(uri) as database:
                loading = london_mongo.loading(database, COLLECTION)
                number = insert(loading, documents(pa.concat_tables(tables)))
            halves.add(sum(table.num_rows for table in tables))
        yield number, [outcome for _, outcome in pieces if not isinstance(outcome, bytes)]

    rdd = spark.parallelize(plan.parts, len(plan.parts)).flatMap(share)
    rdd = rdd.partitionBy(shards, lambda shard: shard).mapPartitions(put)
    loaded = oneoff.collect(rdd, "readings", lambda: halves.value // 2, plan.rows)
    return sum(number for number, _ in loaded), [outcome for _, several in loaded for outcome in several]


def show(uri: str, documents: int, run: str, readings: int) -> None:
    """Makes what was loaded the collection `readings`. Raises ConnectionError when something of it is missing."""
    with london_mongo.database(uri) as database:
        loading = london_mongo.loading(database, COLLECTION)
        found = loading.count_documents({})
        if found != documents:
            raise ConnectionError(
                f"{loading.name} has {found} documents instead of {documents}: is another load at work?"
            )
        london_mongo.publish(database, COLLECTION)
        done = {"run": run, "documents": documents, "readings": readings, "loaded": datetime.now(timezone.utc)}
        database["loads"].replace_one({"_id": COLLECTION}, done, upsert=True)
