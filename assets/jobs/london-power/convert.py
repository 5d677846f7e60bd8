"""Step convert of job london-power: the published CSV as Parquet, or CSV or Parquet into MongoDB.

Spark hands out byte ranges of the input, and inside each task Arrow parses and writes: Spark's own CSV reader takes
several times the processor. A line that is no reading goes into table `rejected`, with the reason.

A byte range becomes one part file, named after the data alone, so a task that is tried again writes the same file
again, and a step that is started again makes only the parts that are not there yet.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

try:
    import lcl
    import london_input
    import london_load
    import london_mongo
    import oneoff
except ImportError:  # not submitted with --py-files: one lies one folder up
    sys.path[:0] = [str(Path(__file__).resolve().parents[n]) for n in (0, 1)]
    import lcl
    import london_input
    import london_load
    import london_mongo
    import oneoff
from london_input import PEEKS_AT_ONCE, plan_csv, read_csv
from london_load import Outcome, Part, Plan, summary, tell

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark import SparkContext

PART_SIZE = 64 << 20  # bytes of CSV, about a million readings
ROW_GROUP = 1 << 20  # readings

# To Parquet ----------------------------------------------------------------------------------------------------------


def write_part(part: Part, name: str, households: lcl.Households, readings: str, rejected: str) -> Outcome:
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

        for table, refused in read_csv(part, households):
            pending.append(table)
            faults += refused
            rows += table.num_rows
            if sum(table.num_rows for table in pending) >= ROW_GROUP:
                flush()
        flush()
    if faults or part.number == 0:
        columns = lcl.rejected_schema().names
        lines = [dict(zip(columns, (part.name, *fault), strict=True)) for fault in faults]
        oneoff.write_part(pa.Table.from_pylist(lines, lcl.rejected_schema()), rejected, name)
    oneoff.put(f"{readings.rstrip('/')}/{name}.parquet", sink.getvalue())
    return summary(part.file, rows, faults)


def part_name(plan: Plan, part: Part) -> str:
    """Without the ending."""
    return f"{plan.name}-{part.number:06d}"


def finished_parts(plan: Plan, readings: str, rejected: str) -> dict[int, Outcome]:
    """What an earlier attempt has made, by the parts' numbers. Raises ValueError when there are other files."""
    import pyarrow.parquet as pq

    ours = {f"{part_name(plan, part)}.parquet": part for part in plan.parts}

    def there(folder: str) -> dict[str, str]:
        try:
            files = {name.rpartition("/")[2]: name for name, _ in oneoff.list_files(folder)}
        except FileNotFoundError:
            return {}
        other = next((name for name in files if name not in ours), None)
        if other:
            raise ValueError(f"{folder}: expected a new folder or parts of this very input, found {other}")
        return files

    def outcome(name: str) -> tuple[int, Outcome]:
        part = ours[name]
        with oneoff.open_file(done[name]) as source:
            rows = pq.ParquetFile(source).metadata.num_rows
        if name not in refused:
            return part.number, summary(part.file, rows, [])
        with oneoff.open_file(refused[name]) as source:
            faults = pq.read_table(source, columns=["byte_offset", "reason", "line"]).to_pylist()
        return part.number, summary(part.file, rows, [tuple(fault.values()) for fault in faults])

    done, refused = there(readings), there(rejected)
    with ThreadPoolExecutor(PEEKS_AT_ONCE) as threads:
        return dict(threads.map(outcome, done))


def to_parquet(options: argparse.Namespace) -> None:
    """Makes tables `readings` and `rejected`."""
    with told(OSError, ValueError, RuntimeError):
        plan = plan_csv(options.input, options.part_size, options.acorn)
        finished = finished_parts(plan, options.readings, options.rejected)
    for note in plan.notes:
        print(note)
    if finished:
        print(f"{len(finished)} of {len(plan.parts)} parts are there already")
    to = (plan.households, options.readings, options.rejected)
    tasks = [(part, part_name(plan, part)) for part in plan.parts if part.number not in finished]
    outcomes = list(finished.values())
    if tasks:
        with session("convert") as spark:
            done = spark.accumulator(sum(rows for rows, _, _ in outcomes))

            def task(given: tuple[Part, str]) -> Outcome:
                outcome = write_part(*given, *to)
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
        plan = (
            plan_csv(options.input, options.part_size, options.acorn)
            if from_csv
            else london_load.plan_parquet(options.input)
        )
        london_load.begin(uri)
    for note in plan.notes:
        print(note)
    read = partial(read_csv, households=plan.households) if from_csv else london_load.read_parquet
    with session("load") as spark:
        number, outcomes = london_load.load(spark, uri, plan, read)
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
    modules = [str(module.__file__) for module in (oneoff, lcl, london_input, london_load, london_mongo)]
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
        "--input",
        required=True,
        metavar="ADDRESS",
        help="a file, or a folder with files in it or below; also s3://, gs:// or webhdfs://",
    )
    about = "table of the households with their Acorn, for a CSV without (default: it is unknown)"
    parser.add_argument("--acorn", metavar="ADDRESS", help=about)
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
    if options.acorn and options.source == "parquet":
        parser.error("--acorn goes with --from csv only")
    for target, names in needs.items():
        for name in names:
            if (getattr(options, name.replace("-", "_")) is None) == (target == options.target):
                parser.error(f"--{name} goes with --to {target}, and has to")
    {"parquet": to_parquet, "mongo": to_mongo}[options.target](options)


if __name__ == "__main__":
    main()
