"""Compares ways to make Parquet of the readings of London: step convert beside Spark's own reader, DuckDB and Polars.

Every engine works on one made-up file, in a process tree of its own whose processor time and memory are sampled. Rows
and digests of what they wrote must be the same, or there are no figures. An engine's start (imports, Spark's session)
is measured by itself and taken off. Prints JSON. DuckDB and Polars are those of the Python that runs this, PySpark that
of --pyspark.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread
from typing import Any

BENCH = Path(__file__).resolve().parent
JOBS = BENCH.parents[1] / "assets" / "jobs"
LONDON = JOBS / "london-power"
sys.path[:0] = [str(JOBS), str(LONDON), str(BENCH)]

import lcl  # noqa: E402 - found through the line above
import oneoff  # noqa: E402
from sweep import CpuMeter  # noqa: E402

CORES = 2
DAYS, LINES_PER_HOUSEHOLD = 350, 16_000  # of 16,800 half hours; some join late
SAMPLE_SECONDS = 0.2
ROUNDS = 3  # of which the quickest counts, where it is seconds of the clock


# Measuring ------------------------------------------------------------------------------------------------------------


@dataclass
class Meter(CpuMeter):
    """Processor time of a process tree, and the most memory it had; pages that processes share are counted once."""

    peak: int = field(default=0)

    def sample(self) -> float:
        """CPU seconds so far."""
        seconds = super().sample()
        self.peak = max(self.peak, sum(_share(number) for number in {number for number, _ in self.seen}))
        return seconds


def _share(number: int) -> int:
    """The process's proportional share of memory, in bytes."""
    with contextlib.suppress(OSError):
        found = re.search(r"^Pss:\s+(\d+)", Path(f"/proc/{number}/smaps_rollup").read_text(), re.MULTILINE)
        return int(found[1]) * 1024 if found else 0
    return 0


def measure(command: Sequence[str | Path], environment: dict[str, str], cores: int = CORES) -> dict[str, Any]:
    """Runs a command; its processor time, wall time and memory, and seconds between its first and last progress.

    All its processes are kept on so many cores, or those of the JVM that compile would have one for themselves.
    """
    mine = sorted(os.sched_getaffinity(0))[:cores]
    ended = Event()
    start = time.perf_counter()
    with (
        tempfile.TemporaryFile("w+") as errors,
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=errors, text=True) as process,
    ):
        os.sched_setaffinity(process.pid, mine)
        meter = Meter(process.pid)

        def watch() -> None:
            while not ended.wait(SAMPLE_SECONDS):
                meter.sample()

        thread = Thread(target=watch)
        thread.start()
        told = [time.perf_counter() for line in process.stdout or () if line.startswith("[oneoff]")]
        code = process.wait()
        ended.set()
        thread.join()
        if code:
            errors.seek(0)
            said = "".join(line for line in errors if not re.search(r" (INFO|WARN) ", line))
            sys.exit(f"convert.py: error: {' '.join(map(str, command))} failed:\n{said[-4000:]}")
    wall = time.perf_counter() - start
    return {
        "cpu": sum(meter.seen.values()),
        "wall": wall,
        "peak": meter.peak,
        "working": told[-1] - told[0] if told else wall,
    }


# Engines --------------------------------------------------------------------------------------------------------------


@dataclass
class Bench:
    """Where everything is."""

    folder: Path
    pyspark: Path  # the Python that has PySpark

    def spark(self, script: str | Path, *arguments: str | Path, cores: int = CORES) -> dict[str, Any]:
        """Submits a script as a local cluster does."""
        here = self.pyspark.parent
        environment = {**os.environ, "PYSPARK_PYTHON": str(self.pyspark), "PATH": f"{here}:{os.environ['PATH']}"}
        files = f"{JOBS / 'oneoff.py'},{LONDON / 'lcl.py'}"
        conf = ["--conf", "spark.ui.enabled=false", "--conf", f"spark.local.dir={self.folder / 'scratch'}"]
        submit = [here / "spark-submit", "--master", f"local[{cores}]", *conf, "--py-files", files]
        return measure([*submit, script, *arguments], environment, cores)

    def python(self, *arguments: str) -> dict[str, Any]:
        """One of the engines below, in this Python."""
        return measure([sys.executable, __file__, *arguments], {**os.environ, "POLARS_MAX_THREADS": str(CORES)})

    def generate(self, rows: int) -> Path:
        """One CSV file with about so many readings."""
        target, parts = self.folder / f"{rows}.csv", self.folder / "parts"
        households = max(1, round(rows / LINES_PER_HOUSEHOLD))
        size = ["--households", str(households), "--days", str(DAYS), "--start", "2012-01-01"]
        self.spark(LONDON / "generate.py", "--csv", parts, *size)
        with target.open("wb") as whole:
            for n, part in enumerate(sorted(parts.iterdir())):
                with part.open("rb") as source:
                    header = source.readline()
                    whole.write(header if n == 0 else b"")
                    shutil.copyfileobj(source, whole, 1 << 20)
        shutil.rmtree(parts)
        return target

    def convert(self, csv: Path, cores: int = CORES) -> tuple[dict[str, Any], Path]:
        """Step convert of job london-power, as it is."""
        target = self.folder / f"ours-{csv.stem}-{cores}"
        shutil.rmtree(target, ignore_errors=True)
        tables = ["--readings", target / "readings", "--rejected", target / "rejected"]
        step = ["--from", "csv", "--to", "parquet", "--input", csv, *tables]
        return self.spark(LONDON / "convert.py", *step, cores=cores), target / "readings"

    def other(self, engine: str, csv: Path) -> tuple[dict[str, Any], Path]:
        """Another engine."""
        target = self.folder / engine
        shutil.rmtree(target, ignore_errors=True)
        run: Callable[..., dict[str, Any]] = self.python
        if engine.startswith("spark"):
            return self.spark(__file__, engine, str(csv), str(target)), target
        target.mkdir()
        return run(engine, str(csv), str(target / "readings.parquet")), target


@contextlib.contextmanager
def spark_session() -> Iterator[Any]:
    """As users of Spark's own reader start it; times are GMT."""
    from pyspark.sql import SparkSession

    with SparkSession.builder.config("spark.sql.session.timeZone", "UTC").getOrCreate() as spark:
        spark.range(1).count()
        yield spark


def start_ours() -> None:
    """What step convert does before its first block: a session, and imports in every worker."""
    from pyspark import SparkContext

    def task(_: int) -> None:
        import numpy  # noqa: F401
        import pyarrow.csv
        import pyarrow.parquet  # noqa: F401

        time.sleep(0.5)  # so that each worker gets one

    with SparkContext() as spark:
        spark.parallelize(range(CORES), CORES).map(task).collect()


def convert_spark(csv: str, target: str, inferred: bool) -> None:
    """Spark's own reader and writer, with the schema given or found out by Spark."""
    from pyspark.sql.types import DoubleType, StringType, StructType, TimestampType

    schema = StructType()
    for name in lcl.COLUMNS:
        schema.add(name, {"time": TimestampType(), "kwh": DoubleType()}.get(name, StringType()))
    with spark_session() as spark:
        reader = spark.read.options(
            header=True, nullValue=lcl.CSV_NULL, ignoreLeadingWhiteSpace=True, ignoreTrailingWhiteSpace=True
        )
        readings = reader.csv(csv, inferSchema=True).toDF(*lcl.COLUMNS) if inferred else reader.schema(schema).csv(csv)
        readings.write.parquet(target)


def convert_duckdb(csv: str, target: str) -> None:
    """DuckDB, types given."""
    import duckdb

    kinds = {name: {"time": "TIMESTAMP", "kwh": "DOUBLE"}.get(name, "VARCHAR") for name in lcl.COLUMNS}
    options = f"columns = {kinds}, header = true, delim = ',', nullstr = '{lcl.CSV_NULL}', auto_detect = false"
    with duckdb.connect(config={"threads": CORES}) as database:
        database.execute(f"COPY (FROM read_csv('{csv}', {options})) TO '{target}' (FORMAT parquet)")


def convert_polars(csv: str, target: str) -> None:
    """Polars, types given. Blanks around numbers are taken off by hand, as it does not read them."""
    import polars as pl

    schema = dict.fromkeys(lcl.COLUMNS, pl.String)
    readings = pl.scan_csv(csv, schema=schema, null_values=lcl.CSV_NULL, has_header=False, skip_rows=1)
    time_of = pl.col("time").str.to_datetime("%Y-%m-%d %H:%M:%S%.f", time_unit="us")
    readings.with_columns(time_of, pl.col("kwh").str.strip_chars().cast(pl.Float64)).sink_parquet(target)


def start_other(engine: str) -> None:
    """What an engine does before it converts anything."""
    if engine.startswith("spark"):
        with spark_session():
            pass
    else:
        __import__(engine)


# Report ---------------------------------------------------------------------------------------------------------------


def compare(bench: Bench, rows: int, sizes: Sequence[int]) -> dict[str, Any]:
    """All figures."""
    csv = bench.generate(rows)
    engines = ["ours", "spark", "spark-inferred", "duckdb", "polars"]
    starts = {
        "ours": bench.spark(__file__, "start-ours"),
        "spark": bench.spark(__file__, "start", "spark"),
        "duckdb": bench.python("start", "duckdb"),
        "polars": bench.python("start", "polars"),
    }
    report: dict[str, Any] = {"engines": {}}
    contents: dict[str, tuple[int, str]] = {}
    for engine in engines:
        figures, target = bench.convert(csv) if engine == "ours" else bench.other(engine, csv)
        start = starts[engine.removesuffix("-inferred")]
        contents[engine] = oneoff.digest(str(target), lcl.COLUMNS)
        report["engines"][engine] = {
            **figures,
            "start_cpu": start["cpu"],
            "conversion_cpu": figures["cpu"] - start["cpu"],
            "bytes": sum(path.stat().st_size for path in target.rglob("*.parquet")),
        }
        shutil.rmtree(target)
    if len(set(contents.values())) > 1:
        sys.exit(f"convert.py: error: the engines disagree about rows and digests: {contents}")
    report["rows"] = contents["ours"][0]
    report["csv_bytes"] = csv.stat().st_size
    rounds = [{cores: bench.convert(csv, cores)[0]["working"] for cores in (1, CORES)} for _ in range(ROUNDS)]
    report["working"] = {cores: min(seconds[cores] for seconds in rounds) for cores in (1, CORES)}
    csv.unlink()
    report["peaks"] = {}
    for size in sizes:
        csv = bench.generate(size)
        report["peaks"][size] = bench.convert(csv)[0]["peak"]
        csv.unlink()
        shutil.rmtree(bench.folder / f"ours-{size}-{CORES}")
    return report


def main() -> None:
    """The command line. The subcommands are for the processes that are measured."""
    match sys.argv[1:]:
        case ["start-ours"]:
            start_ours()
        case ["start", engine]:
            start_other(engine)
        case ["spark" | "spark-inferred" as engine, csv, target]:
            convert_spark(csv, target, engine == "spark-inferred")
        case ["duckdb", csv, target]:
            convert_duckdb(csv, target)
        case ["polars", csv, target]:
            convert_polars(csv, target)
        case arguments:
            parser = oneoff.ArgumentParser(description="Compare ways to make Parquet of London's readings, in JSON.")
            parser.add_argument("--rows", type=oneoff.count, default=20_000_000, help="about (default: %(default)s)")
            parser.add_argument("--sizes", type=oneoff.count, nargs="*", default=[5_000_000, 50_000_000])
            parser.add_argument("--pyspark", type=Path, required=True, help="the Python that has PySpark")
            parser.add_argument("--folder", type=Path, help="for the files (default: a temporary one)")
            options = parser.parse_args(arguments)
            with tempfile.TemporaryDirectory(dir=options.folder) as folder:
                print(json.dumps(compare(Bench(Path(folder), options.pyspark), options.rows, options.sizes), indent=2))


if __name__ == "__main__":
    main()
