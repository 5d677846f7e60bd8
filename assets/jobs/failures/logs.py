"""Step logs of job failures: what made-up services log, when they fail, and what can be foretold of it.

Table `truth` has how strained each service was and how probable it failed soon, given what it had logged by then, which
no network sees.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

try:
    import failures_services
    import failures_twin
    import networks
    import oneoff
except ImportError:  # not submitted with --py-files: some lie one folder up
    sys.path[:0] = [str(Path(__file__).resolve().parents[n]) for n in (0, 1)]
    import failures_services
    import failures_twin
    import networks
    import oneoff

if TYPE_CHECKING:
    from pyspark import SparkContext

TABLES = ("logs", "failures", "truth")
MOST_HAZARD = 5


def make_up(spark: SparkContext, twin: failures_twin.Twin, folders: dict[str, str]) -> None:
    """Writes the tables of a twin."""
    plain = tuple(twin)

    def task(part: tuple[int, int]) -> None:
        first, last = part
        made = failures_twin.tables(failures_twin.Twin(*plain), first, last)
        # Those of logs last: who sees them can look up what came of them.
        for name in reversed(TABLES):
            oneoff.write_part(made[name], folders[name], f"services-{first:06d}-{last - 1:06d}")

    tasks = failures_twin.parts(twin)
    oneoff.collect(spark.parallelize(tasks, len(tasks)).map(task), "parts")


@contextmanager
def session() -> Iterator[SparkContext]:
    """Spark, whose tasks have one core each."""
    from pyspark import SparkConf, SparkContext

    modules = [oneoff, failures_services, failures_twin]
    conf = SparkConf().setAppName("failures: logs").setExecutorEnv(pairs=list(networks.ENVIRONMENT.items()))
    with SparkContext(conf=conf, pyFiles=[str(module.__file__) for module in modules]) as spark:
        yield spark


def hazard(text: str) -> float:
    """Argument type: a number from 0 to MOST_HAZARD."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= MOST_HAZARD:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to {MOST_HAZARD}")
    return value


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = oneoff.ArgumentParser(description="Make up what services log, and when they fail.")
    for table in TABLES:
        parser.add_argument(f"--{table}", required=True, metavar="FOLDER", help=f"where the rows of {table} go")
    parser.add_argument("--hosts", type=oneoff.count, default=60, help="machines (default: %(default)s)")
    parser.add_argument("--days", type=oneoff.count, default=14, help="days of logs (default: %(default)s)")
    parser.add_argument("--hazard", type=hazard, default=2, help="how steeply strain has failures (default: 2)")
    parser.add_argument(
        "--seed", type=oneoff.seed, default=1, help="equal seeds make equal logs (default: %(default)s)"
    )
    options = parser.parse_args(arguments)
    twin = failures_twin.Twin(options.seed, options.hosts, options.days, options.hazard)
    with session() as spark:
        make_up(spark, twin, {table: getattr(options, table) for table in TABLES})


if __name__ == "__main__":
    main()
