"""Step convert of job london-power: the published CSV as Parquet, or CSV or Parquet into MongoDB.

Spark hands out byte ranges of the input, and inside each task Arrow parses and writes: Spark's own CSV reader takes
several times the processor. A line that is no reading goes into table `rejected`, with the reason.

A byte range becomes one part file, named after the data alone, so a task that is tried again writes the same file
again, and a step that is started again makes only the parts that are not there yet.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import re
import sys
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timezone
from itertools import islice, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

try:
    import lcl
    import oneoff
except ImportError:  # not submitted with --py-files: one lies one folder up
    sys.path[:0] = [str(Path(__file__).resolve().parents[n]) for n in (0, 1)]
    import lcl
    import oneoff

if TYPE_CHECKING:
    import pyarrow as pa
    from pymongo.collection import Collection
    from pymongo.database import Database
    from pyspark import SparkContext

PART_SIZE = 64 << 20  # bytes of CSV, about a million readings
ROW_GROUP = 1 << 20  # readings
PEEK = 64 << 10  # bytes at either end of a file that are looked at before anything is written
PEEKS_AT_ONCE = 16
SHOWN = 3  # rejected lines that are printed

COLLECTION = "readings"
LOADING = f"{COLLECTION}_loading"  # until all of it is there
DOCUMENTS_AT_ONCE = 1_000
READINGS_PER_SHARD = 1_000_000
LEAST_SHARDS = 8  # so that few readings are spread over the cores too
HALF_HOUR = 30 * 60 * 1_000_000  # in microseconds
DAY = lcl.HALF_HOURS * HALF_HOUR
# A server that elects a new primary or makes an index is waited for, one that is gone is not.
TIMEOUTS = {"serverSelectionTimeoutMS": 15_000, "connectTimeoutMS": 10_000, "socketTimeoutMS": 600_000}
DUPLICATE_KEY = 11000

# A part of the input: file, number among all parts, and first and last byte (of CSV) or row group (of Parquet). A plain
# tuple, for Spark could not send a class of this script to where it is not the main program.
Part = tuple[str, int, int, int]
# What has become of a part: readings, rejected lines for each reason, and some of them to show.
Outcome = tuple[int, "Counter[str]", list[str]]


class Plan(NamedTuple):
    """How the input is divided, which depends on nothing but the input."""

    parts: list[Part]
    rows: int  # about
    name: str  # what the names of all part files begin with


# Input ---------------------------------------------------------------------------------------------------------------


class Sample(NamedTuple):
    """What both ends of a CSV file tell."""

    header: int  # bytes
    lines: int  # of `bytes` bytes, after the header
    bytes: int
    digest: bytes


def base_name(address: str) -> str:
    """What a file is called in its folder. Where that is differs from cluster to cluster."""
    return address.rpartition("/")[2]


def csv_files(address: str) -> list[tuple[str, int]]:
    """Address and size of each file. Raises ValueError when the folder has no CSV, FileNotFoundError without folder."""
    files = oneoff.list_files(address)
    if [name for name, _ in files] == [address]:
        return files
    found = [(name, size) for name, size in files if name.lower().endswith(".csv")]
    if not found:
        others = ", ".join(base_name(name) for name, _ in files[:SHOWN]) or "no file at all"
        raise ValueError(f"{address}: expected files that end in .csv, found {others}")
    return found


def look_at(address: str, size: int) -> Sample:
    """Raises ValueError when the file cannot be the published CSV, or its end is missing."""
    expected = ",".join(lcl.CSV_COLUMNS)
    if not size:
        raise ValueError(f"{address}: expected the columns {expected}, found an empty file")
    with oneoff.open_file(address) as file:
        head = file.read_at(min(size, PEEK), 0)
        tail = file.read_at(min(size, PEEK), max(size - PEEK, 0))
    first, newline, rest = head.partition(b"\n")
    text = first.removeprefix(b"\xef\xbb\xbf").decode(errors="replace").removesuffix("\r")
    names = [name.strip() for name in next(csv.reader([text]), [])]
    if names != [name.strip() for name in lcl.CSV_COLUMNS]:
        raise ValueError(f"{address}: expected the columns {expected}, found {text[: lcl.KEPT_OF_LINE]!r}")
    if not rest.strip():
        raise ValueError(f"{address}: expected readings below the header, found none")
    whole = rest[: rest.rfind(b"\n") + 1] or rest
    readings, rejected = lcl.parse(whole)
    if not readings.num_rows:
        _, reason, line = rejected[0]
        raise ValueError(f"{address}: expected readings below the header, found {line!r} ({reason})")
    last = tail.rpartition(b"\n")[2]
    reason = lcl.fault(last.removesuffix(b"\r")) if last else None
    if reason:
        line = last.decode(errors="replace")[: lcl.KEPT_OF_LINE]
        raise ValueError(f"{address}: expected a whole line at the end, found {line!r} ({reason}): the file is cut off")
    digest = hashlib.blake2b(head + tail).digest()
    return Sample(len(first) + len(newline), whole.count(b"\n") or 1, len(whole), digest)


def plan_csv(address: str, part_size: int) -> Plan:
    """Divides a CSV file, or those of a folder. Raises ValueError or OSError when the input is of no use."""
    files = csv_files(address)
    with ThreadPoolExecutor(PEEKS_AT_ONCE) as threads:
        samples = list(threads.map(lambda file: look_at(*file), files))
    ranges: list[tuple[str, int, int]] = []
    for (name, size), sample in zip(files, samples, strict=True):
        number = max(1, round((size - sample.header) / part_size))
        cuts = [sample.header + (size - sample.header) * n // number for n in range(number + 1)]
        ranges += [(name, *cut) for cut in pairwise(cuts)]
    content = [(base_name(name), size, sample) for (name, size), sample in zip(files, samples, strict=True)]
    digest = hashlib.blake2b(repr((content, part_size)).encode(), digest_size=6).hexdigest()
    density = sum(sample.lines for sample in samples) / sum(sample.bytes for sample in samples)
    rows = round(sum(end - start for _, start, end in ranges) * density)
    return Plan([(name, n, start, end) for n, (name, start, end) in enumerate(ranges)], rows, f"part-{digest}")


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
    with ThreadPoolExecutor(PEEKS_AT_ONCE) as threads:
        found = [group for several in threads.map(groups, files) for group in several]
    if not found:
        raise ValueError(f"{expected}, found none")
    parts = [(name, n, group, group + 1) for n, (name, group, _) in enumerate(found)]
    return Plan(parts, sum(rows for _, _, rows in found), "")


def read_csv(part: Part) -> Iterator[tuple[pa.Table, list[lcl.Rejected]]]:
    """Readings of a byte range and the lines that are none, some megabytes at a time."""
    name, _, start, end = part
    with oneoff.open_file(name) as file:
        try:
            for offset, block in lcl.lines(file, start, end):
                table, rejected = lcl.parse(block)
                yield table, [(offset + at, reason, line) for at, reason, line in rejected]
        except ValueError as problem:
            raise ValueError(f"{name}: {problem}") from problem


def read_parquet(part: Part) -> Iterator[tuple[pa.Table, list[lcl.Rejected]]]:
    """Readings of some row groups, text as dictionaries. None of them is rejected."""
    import pyarrow.parquet as pq

    name, _, first, end = part
    text = [column for column in lcl.COLUMNS if column not in ("time", "kwh")]
    with oneoff.open_file(name) as file:
        parquet = pq.ParquetFile(file, read_dictionary=text)
        yield parquet.read_row_groups(range(first, end), columns=list(lcl.COLUMNS), use_threads=False), []


# To Parquet ----------------------------------------------------------------------------------------------------------


def write_part(part: Part, name: str, readings: str, rejected: str) -> Outcome:
    """Makes the part files of a byte range.

    That of `readings` comes last: where it is, the part is done. The first part has a file of `rejected` in any case,
    so that the table is there.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    pending: list[pa.Table] = []
    faults: list[lcl.Rejected] = []
    rows = 0
    schema = lcl.readings([lcl.parse(b"")[0]]).schema
    # Times that follow each other evenly take next to nothing as differences, and a dictionary for all else.
    encoding = {
        "use_dictionary": [column for column in lcl.COLUMNS if column != "time"],
        "column_encoding": {"time": "DELTA_BINARY_PACKED"},
    }
    # Without Arrow's own schema, of which readers would take that text comes as dictionaries.
    with pq.ParquetWriter(sink, schema, compression="zstd", store_schema=False, **encoding) as writer:

        def flush() -> None:
            if pending:
                table = lcl.readings(pending)
                writer.write_table(table, row_group_size=max(1, table.num_rows))
                pending.clear()

        for table, refused in read_csv(part):
            pending.append(table)
            faults += refused
            rows += table.num_rows
            if sum(table.num_rows for table in pending) >= ROW_GROUP:
                flush()
        flush()
    if faults or part[1] == 0:
        columns = lcl.rejected_schema().names
        lines = [dict(zip(columns, (base_name(part[0]), *fault), strict=True)) for fault in faults]
        oneoff.write_part(pa.Table.from_pylist(lines, lcl.rejected_schema()), rejected, name)
    oneoff.put(f"{readings.rstrip('/')}/{name}.parquet", sink.getvalue())
    return summary(part[0], rows, faults)


def part_name(plan: Plan, part: Part) -> str:
    """Without the ending."""
    return f"{plan.name}-{part[1]:06d}"


def finished_parts(plan: Plan, readings: str, rejected: str) -> dict[int, Outcome]:
    """What an earlier attempt has made, by the parts' numbers. Raises ValueError when there are other files."""
    import pyarrow.parquet as pq

    ours = {f"{part_name(plan, part)}.parquet": part for part in plan.parts}

    def there(folder: str) -> dict[str, str]:
        try:
            files = {base_name(name): name for name, _ in oneoff.list_files(folder)}
        except FileNotFoundError:
            return {}
        other = next((name for name in files if name not in ours), None)
        if other:
            raise ValueError(f"{folder}: expected a new folder or parts of this very input, found {other}")
        return files

    def outcome(name: str) -> tuple[int, Outcome]:
        file, number, _, _ = ours[name]
        with oneoff.open_file(done[name]) as source:
            rows = pq.ParquetFile(source).metadata.num_rows
        if name not in refused:
            return number, summary(file, rows, [])
        with oneoff.open_file(refused[name]) as source:
            faults = pq.read_table(source, columns=["byte_offset", "reason", "line"]).to_pylist()
        return number, summary(file, rows, [tuple(fault.values()) for fault in faults])

    done, refused = there(readings), there(rejected)
    with ThreadPoolExecutor(PEEKS_AT_ONCE) as threads:
        return dict(threads.map(outcome, done))


def to_parquet(options: argparse.Namespace) -> None:
    """Makes tables `readings` and `rejected`."""
    with told(OSError, ValueError, RuntimeError):
        plan = plan_csv(options.input, options.part_size)
        finished = finished_parts(plan, options.readings, options.rejected)
    if finished:
        print(f"{len(finished)} of {len(plan.parts)} parts are there already")
    readings, rejected = options.readings, options.rejected
    tasks = [(part, part_name(plan, part)) for part in plan.parts if part[1] not in finished]
    outcomes = list(finished.values())
    if tasks:
        with session("convert") as spark:
            done = spark.accumulator(sum(rows for rows, _, _ in outcomes))

            def task(given: tuple[Part, str]) -> Outcome:
                outcome = write_part(*given, readings, rejected)
                done.add(outcome[0])
                return outcome

            rdd = spark.parallelize(tasks, len(tasks)).map(task)
            outcomes += oneoff.collect(rdd, "readings", lambda: done.value, plan.rows)
    tell(outcomes, f"in {len(plan.parts)} parts")


# To MongoDB ----------------------------------------------------------------------------------------------------------


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
        yield int(shard[first]), (part[1], sink.getvalue().to_pybytes())


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


@contextmanager
def mongo(uri: str) -> Iterator[Database]:
    """The database that the connection string names. What goes wrong is a ConnectionError in one line."""
    from pymongo import MongoClient
    from pymongo.errors import PyMongoError
    from pymongo.uri_parser import parse_uri

    hosts = "the address given"
    try:
        hosts = ",".join(f"{host}:{port}" for host, port in parse_uri(uri)["nodelist"])
        with MongoClient(uri, **TIMEOUTS) as client:
            yield client.get_default_database()
    except PyMongoError as problem:
        why = re.split(r", Timeout: | \(configured timeouts|, full error", " ".join(str(problem).split()))[0]
        raise ConnectionError(f"MongoDB at {hosts}: {why}; what was there before is there still") from None


def to_mongo(options: argparse.Namespace) -> None:
    """Replaces collection `readings`, all at once when everything is there."""
    read = read_csv if options.source == "csv" else read_parquet
    with told(OSError, ValueError, RuntimeError):
        uri = Path(options.mongo_uri).read_text().strip()
        plan = plan_csv(options.input, options.part_size) if read is read_csv else plan_parquet(options.input)
        with mongo(uri) as database:
            database.drop_collection(LOADING)
    shards = max(LEAST_SHARDS, -(-plan.rows // READINGS_PER_SHARD))
    with session("load") as spark:
        halves = spark.accumulator(0)  # a reading counts when it is read, and when it is written

        def share(part: Part) -> Iterator[tuple[int, tuple[int, bytes | Outcome]]]:
            found = list(read(part))
            faults = [fault for _, several in found for fault in several]
            rows = sum(table.num_rows for table, _ in found)
            if rows:
                yield from shares(part, lcl.readings([table for table, _ in found]), shards)
            halves.add(rows)
            yield part[1] % shards, (part[1], summary(part[0], rows, faults))

        def load(given: Iterable[tuple[int, tuple[int, bytes | Outcome]]]) -> Iterator[tuple[int, list[Outcome]]]:
            import pyarrow as pa

            # Pieces come in any order: sorted, what is made of them is always the same.
            pieces = sorted((piece for _, piece in given), key=lambda piece: piece[0])
            tables = [pa.ipc.open_stream(piece).read_all() for _, piece in pieces if isinstance(piece, bytes)]
            number = 0
            if tables:
                with mongo(uri) as database:
                    number = insert(database[LOADING], documents(pa.concat_tables(tables)))
                halves.add(sum(table.num_rows for table in tables))
            yield number, [outcome for _, outcome in pieces if not isinstance(outcome, bytes)]

        rdd = spark.parallelize(plan.parts, len(plan.parts)).flatMap(share)
        rdd = rdd.partitionBy(shards, lambda shard: shard).mapPartitions(load)
        loaded = oneoff.collect(rdd, "readings", lambda: halves.value // 2, plan.rows)
    number = sum(documents for documents, _ in loaded)
    outcomes = [outcome for _, several in loaded for outcome in several]
    with told(OSError), mongo(uri) as database:
        show(database, number, options.run, sum(rows for rows, _, _ in outcomes))
    tell(outcomes, f"in {number:,} documents")


def show(database: Database, documents: int, run: str, readings: int) -> None:
    """Makes what was loaded the collection `readings`. Raises ConnectionError when something of it is missing."""
    loading = database[LOADING]
    found = loading.count_documents({})
    if found != documents:
        raise ConnectionError(f"{LOADING} has {found} documents instead of {documents}: is another load at work?")
    loading.create_index([("household", 1), ("date", 1)])
    loading.rename(COLLECTION, dropTarget=True)
    load = {"run": run, "documents": documents, "readings": readings, "loaded": datetime.now(timezone.utc)}
    database["loads"].replace_one({"_id": COLLECTION}, load, upsert=True)


# Command line --------------------------------------------------------------------------------------------------------


def summary(file: str, rows: int, faults: Sequence[lcl.Rejected]) -> Outcome:
    """Of a part: how many readings, how many lines were rejected for each reason, and some of them to show."""
    shown = [f"{file}, byte {offset}: {reason}: {line!r}" for offset, reason, line in faults[:SHOWN]]
    return rows, Counter(reason for _, reason, _ in faults), shown


def tell(outcomes: Sequence[Outcome], into: str) -> None:
    """Prints what has become of all lines."""
    reasons: Counter[str] = sum((reasons for _, reasons, _ in outcomes), Counter())
    print(f"{sum(rows for rows, _, _ in outcomes):,} readings {into}, {reasons.total():,} lines rejected")
    for line in sorted(line for _, _, shown in outcomes for line in shown)[:SHOWN]:
        print(f"rejected: {line}")
    if reasons:
        print(f"reasons: {', '.join(f'{reason} ({number:,})' for reason, number in sorted(reasons.items()))}")


@contextmanager
def told(*problems: type[Exception]) -> Iterator[None]:
    """Ends the program with exit code 1 and one line that says why."""
    try:
        yield
    except problems as problem:
        sys.exit(f"convert.py: error: {' '.join(str(problem).split())}")


@contextmanager
def session(step: str) -> Iterator[SparkContext]:
    """Spark, with as many threads in a task as the task has cores."""
    from pyspark import SparkConf, SparkContext

    conf = SparkConf().setAppName(f"london-power: {step}").setExecutorEnv("OMP_NUM_THREADS", "1")
    with SparkContext(conf=conf, pyFiles=[oneoff.__file__, lcl.__file__]) as spark:
        yield spark


def size(text: str) -> int:
    """Argument type: such as "64 MB"; at least 1 MB, or there would be too many files."""
    match = re.fullmatch(r"(\d+) ?([MG])i?B", text)
    if not match or not int(match[1]):
        raise argparse.ArgumentTypeError(f'{text!r} is not a size of at least 1 MB such as "64 MB"')
    return int(match[1]) << {"M": 20, "G": 30}[match[2]]


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = oneoff.ArgumentParser(description="Convert the published CSV to Parquet, or load it into MongoDB.")
    parser.add_argument("--from", dest="source", required=True, choices=["csv", "parquet"])
    parser.add_argument("--to", dest="target", required=True, choices=["parquet", "mongo"])
    parser.add_argument(
        "--input", required=True, metavar="ADDRESS", help="a file or a folder of files; also s3://, gs:// or webhdfs://"
    )
    parser.add_argument(
        "--part-size", type=size, default=PART_SIZE, metavar="SIZE", help='bytes of CSV per part (default: "64 MB")'
    )
    needs = {
        "parquet": {
            "readings": "where the readings go: a new folder, or that of an attempt that was ended",
            "rejected": "where lines go that are no readings",
        },
        "mongo": {
            "mongo-uri": "file with MongoDB's connection string, which names a database",
            "run": "id of the run, which is written down beside",
        },
    }
    for target, names in needs.items():
        group = parser.add_argument_group(f"with --to {target}")
        for name, about in names.items():
            group.add_argument(f"--{name}", help=about)
    options = parser.parse_args(arguments)
    if (options.source, options.target) == ("parquet", "parquet"):
        parser.error("--from parquet goes with --to mongo only")
    for target, names in needs.items():
        for name in names:
            if (getattr(options, name.replace("-", "_")) is None) == (target == options.target):
                parser.error(f"--{name} goes with --to {target}, and has to")
    {"parquet": to_parquet, "mongo": to_mongo}[options.target](options)


if __name__ == "__main__":
    main()
