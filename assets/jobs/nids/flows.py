"""Step flows of job nids: network flows, the user's own copy of a published data set or a made-up twin.

Whatever they are, table `flows` has the same columns, and a part for each: what networks learn from, what they are
measured on, and what is neither, since it shares a host with the one and the time with the other. Of the twin, table
`truth` has how much likelier each flow is as an attack, which no network sees.
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
    import networks
    import nids_families
    import nids_input
    import nids_layouts
    import nids_parts
    import nids_twin
    import oneoff
except ImportError:  # not submitted with --py-files: one lies one folder up
    sys.path[:0] = [str(Path(__file__).resolve().parents[n]) for n in (0, 1)]
    import networks
    import nids_families
    import nids_input
    import nids_layouts
    import nids_parts
    import nids_twin
    import oneoff

if TYPE_CHECKING:
    from pyspark import SparkContext


def make_up(spark: SparkContext, twin: nids_twin.Twin, flows: str, truth: str) -> None:
    """Writes tables `flows` and `truth` of a twin."""
    plain = tuple(twin)

    def task(part: tuple[int, int]) -> None:
        first, last = part
        made, known = nids_twin.tables(nids_twin.Twin(*plain), first, last)
        name = f"blocks-{first:09d}-{last - 1:09d}"
        oneoff.write_part(known, truth, name)
        oneoff.write_part(made, flows, name)

    tasks = nids_twin.parts(twin.flows)
    oneoff.collect(spark.parallelize(tasks, len(tasks)).map(task), "parts")


def take_over(spark: SparkContext, files: Sequence[nids_input.File], flows: str) -> None:
    """Writes table `flows` of published files: they are read once to be divided, and once more to be written."""
    rdd = spark.parallelize(files, len(files))
    outlines = oneoff.collect(rdd.map(nids_parts.outline), "files looked at")
    division = nids_parts.divide(files, outlines)
    print(division.about)
    done = spark.accumulator(0)

    def task(file: nids_input.File) -> None:
        before = 0
        for number, table in enumerate(nids_input.read(file)):
            parts = division.parts(file, table, before)
            place = table.schema.get_field_index("part")
            whole = table.set_column(place, "part", parts)
            oneoff.write_part(whole, flows, f"file-{file.number:04d}-{number:06d}")
            before += table.num_rows
            done.add(table.num_rows)

    total = sum(outline.flows for outline in outlines)
    oneoff.collect(rdd.map(task), "flows", lambda: done.value, total)


@contextmanager
def session() -> Iterator[SparkContext]:
    """Spark, whose tasks have one core each."""
    from pyspark import SparkConf, SparkContext

    modules = [oneoff, networks, nids_families, nids_input, nids_layouts, nids_parts, nids_twin]
    conf = SparkConf().setAppName("nids: flows").setExecutorEnv(pairs=list(networks.ENVIRONMENT.items()))
    with SparkContext(conf=conf, pyFiles=[str(module.__file__) for module in modules]) as spark:
        yield spark


def part_of_one(text: str) -> float:
    """Argument type: a number from 0 to 1."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to 1")
    return value


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = oneoff.ArgumentParser(description="Take over published network flows, or make up some.")
    parser.add_argument("--flows", required=True, metavar="FOLDER", help="where the flows go; empty or new")
    parser.add_argument("--truth", required=True, metavar="FOLDER", help="where likelihood ratios go, of made-up flows")
    about = "published files: one, or a folder with some in it or below; also s3://, gs:// or webhdfs://"
    parser.add_argument("--input", metavar="ADDRESS", help=about)
    parser.add_argument("--number", type=oneoff.count, default=50_000, help="flows to make up (default: %(default)s)")
    parser.add_argument("--overlap", type=part_of_one, default=0.3, help="of the families (default: %(default)s)")
    parser.add_argument(
        "--seed", type=oneoff.seed, default=1, help="equal seeds make equal flows (default: %(default)s)"
    )
    options = parser.parse_args(arguments)
    if options.input is None:
        twin = nids_twin.Twin(options.seed, options.number, options.overlap)
        with session() as spark:
            make_up(spark, twin, options.flows, options.truth)
        return
    try:
        files = nids_input.files(options.input)
    except (ValueError, OSError) as problem:
        parser.error(" ".join(str(problem).split()))
    origin = files[0].layout.origin
    print(f"{origin}: {nids_layouts.TERMS[origin]}")
    with session() as spark:
        take_over(spark, files, options.flows)


if __name__ == "__main__":
    main()
