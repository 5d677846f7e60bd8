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
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

try:
    import lcl
    import london_load
    import london_mongo
    import oneoff
except ImportError:  # not submitted with --py-files: one lies one folder up
    sys.path[:0] = [str(Path(__file__).resolve().parents[n]) for n in (0, 1)]
    import lcl
    import london_load
    import london_mongo
    import oneoff
from london_load import SHOWN, Outcome, Part, Plan, summary, tell

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark import SparkContext

PART_SIZE = 64 << 20  # bytes of CSV, about a million readings
ROW_GROUP = 1 << 20  # readings
PEEK = 64 << 10  # bytes at either end of a file that are looked at before anything is written
PEEKS_AT_ONCE = 16

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


def to_mongo(options: argparse.Namespace) -> None:
    """Replaces collection `readings`, all at once when everything is there."""
    from_csv = options.source == "csv"
    with told(OSError, ValueError, RuntimeError):
        uri = london_mongo.connection_string(options.mongo_uri)
        plan = plan_csv(options.input, options.part_size) if from_csv else london_load.plan_parquet(options.input)
        london_load.begin(uri)
    with session("load") as spark:
        number, outcomes = london_load.load(spark, uri, plan, read_csv if from_csv else london_load.read_parquet)
    with told(OSError):
        london_load.show(uri, number, options.run, sum(rows for rows, _, _ in outcomes))
    tell(outcomes, f"in {number:,} documents")


# Command line --------------------------------------------------------------------------------------------------------


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
    modules = [str(module.__file__) for module in (oneoff, lcl, london_load, london_mongo)]
    with SparkContext(conf=conf, pyFiles=modules) as spark:
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
