"""Scores a stream of network flows on Spark: a job's step, on any cluster, also another than the one that trained.

Lines come from text files that are put into a folder, or from Kafka. Each batch takes the newest network there is, and
leaves a part file per task: a row for each flow, and one for each line that is none. A batch that is tried again leaves
the same files again.
"""

from __future__ import annotations

import base64
import functools
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

try:
    import networks
    import nids_layouts
    import oneoff
    import scoring_model
except ImportError:  # not submitted with --py-files: they lie in the folders beside
    _HERE = Path(__file__).resolve().parent
    sys.path[:0] = [str(folder) for folder in (_HERE, _HERE.parent / "jobs" / "nids", _HERE.parent / "jobs")]
    import networks
    import nids_layouts
    import oneoff
    import scoring_model

import nids_arrays
import nids_input
import scoring_answers
import scoring_flows
from scoring_model import Candidate, Door, Network, Place

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame, SparkSession

BATCH = 10_000  # lines that are scored at a time
CACHED = 2  # networks that a task's process keeps
TEXT, NUMBER, FLAG = "string", "double", "bool"
COLUMNS = {
    **{"score": NUMBER, "alarm": FLAG, "family": TEXT},  # null where the line is no flow
    **{"srcip": TEXT, "sport": "int64", "dstip": TEXT, "dsport": "int64"},
    **dict.fromkeys(nids_layouts.CATEGORIES, TEXT),
    **{"model": TEXT, "fault": TEXT},  # SHA-256 of the network; why the line is no flow
}
_COUNTED = "flows long, alarms long, faults long"


# In a task -----------------------------------------------------------------------------------------------------------


@functools.lru_cache(CACHED)
def network_of(plain: str) -> Network:
    """A network, as the driver has looked at it."""
    found = json.loads(plain)
    return Network(Candidate(**{**found, "file": base64.b64decode(found["file"])}))


def rows(network: Network, lines: Sequence[bytes]) -> pa.Table:
    """What a network says of lines."""
    import pyarrow as pa

    batch = scoring_flows.read(lines, network.columns)
    scored = scoring_answers.score_batch(network, batch)
    flows = len(batch.places)
    telling = {name: pa.concat_arrays([*column.chunks]) for name, column in _columns(batch.telling)}
    found = pa.table(
        {
            "score": pa.array(scored.scores, pa.float64()),
            "alarm": pa.array(scored.alarm, pa.bool_()),
            "family": pa.array(scored.names, pa.string()),
            **telling,
            "model": pa.repeat(network.found.sha256, flows),
        }
    )
    faults = pa.table({"fault": pa.array(list(batch.faults.values()), pa.string())})
    return pa.concat_tables([_whole(found), _whole(faults)])


def _columns(table: pa.Table) -> list[tuple[str, Any]]:
    return list(zip(table.column_names, table.columns, strict=True))


def _whole(table: pa.Table) -> pa.Table:
    import pyarrow as pa

    schema = pa.schema(list(COLUMNS.items()))
    nothing = {field.name: pa.nulls(table.num_rows, field.type) for field in schema}
    return pa.table({**nothing, **dict(_columns(table))}).select(schema.names).cast(schema)


def score_part(batches: Iterator[pa.RecordBatch], plain: str, out: str, name: str) -> Iterator[pa.RecordBatch]:
    """Scores the lines of a task, writes its part file, and tells how many there were."""
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyspark import TaskContext

    context = TaskContext.get()
    network, tables = network_of(plain), []
    for batch in batches:
        lines = [line for text in batch.column(0).to_pylist() if text is not None for line in _bytes(text).split(b"\n")]
        for first in range(0, len(lines), BATCH):
            tables.append(rows(network, lines[first : first + BATCH]))
    if not tables:
        return
    table = pa.concat_tables(tables)
    oneoff.write_part(table, out, f"{name}-{context.partitionId() if context else 0:05d}")
    faults = table.num_rows - table["fault"].null_count
    alarms = pc.sum(table["alarm"]).as_py() or 0
    counted = {"flows": [table.num_rows - faults], "alarms": [alarms], "faults": [faults]}
    yield from pa.table(counted, pa.schema([(each, pa.int64()) for each in counted])).to_batches()


def _bytes(text: str | bytes) -> bytes:
    return text.encode() if isinstance(text, str) else bytes(text)


# In the driver -------------------------------------------------------------------------------------------------------


class Stream:
    """Scores batch after batch, each with the newest network."""

    def __init__(self, place: Place, out: str) -> None:
        """Raises ValueError where there is no network to begin with."""
        self._door, self._out = Door(place, print), out
        self._door.look()
        if self._door.network is None:
            why = self._door.refused.why if self._door.refused else "there is none yet"
            raise ValueError(f"no model at {place.address}: {why}")

    def score(self, lines: DataFrame, number: int) -> None:
        """One batch."""
        self._door.look()
        assert self._door.network
        found = vars(self._door.network.found)
        plain = json.dumps({**found, "file": base64.b64encode(found["file"]).decode()})
        out, name = self._out, f"batch-{number:09d}"

        def task(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            import scoring_stream as here

            yield from here.score_part(batches, plain, out, name)

        told = lines.mapInArrow(task, _COUNTED).collect()
        flows, alarms, faults = (sum(row[name] for row in told) for name in ("flows", "alarms", "faults"))
        print(f"batch {number}: {flows} flows, {alarms} alarms, {faults} lines that are no flow", flush=True)


def lines_of(spark: SparkSession, options: Any) -> DataFrame:  # noqa: ANN401 - argparse's
    """The stream that was asked for, with the lines in its only column."""
    if options.kafka is None:
        return spark.readStream.option("maxFilesPerTrigger", options.files).text(options.follow)
    kafka = {"kafka.bootstrap.servers": options.kafka, "subscribe": options.topic, "startingOffsets": "earliest"}
    more = {"maxOffsetsPerTrigger": str(options.messages), "failOnDataLoss": "false"}
    return spark.readStream.format("kafka").options(**kafka, **more).load().select("value")


def session() -> SparkSession:
    """Spark, whose tasks have what scoring imports."""
    from pyspark.sql import SparkSession

    modules = [oneoff, networks, nids_arrays, nids_input, nids_layouts, scoring_answers, scoring_flows, scoring_model]
    builder = SparkSession.builder.appName("scoring")
    for name, value in networks.ENVIRONMENT.items():
        builder = builder.config(f"spark.executorEnv.{name}", value)
    spark = builder.getOrCreate()
    there = {Path(file).name for file in spark.sparkContext.listFiles}  # by --py-files
    for file in [*(str(module.__file__) for module in modules), str(Path(__file__).resolve())]:
        if Path(file).name not in there:
            spark.sparkContext.addPyFile(file)
    return spark


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = oneoff.ArgumentParser(description="Score a stream of network flows with a network of job nids, on Spark.")
    parser.add_argument("--model", required=True, metavar="ADDRESS", help="as that of score.py")
    parser.add_argument("--name", default="classifier", help="which network of a table (default: %(default)s)")
    parser.add_argument("--follow", metavar="FOLDER", help="where files of flows are put, whole, as Spark finds them")
    parser.add_argument("--kafka", metavar="HOST:PORT", help="broker, or several separated by commas; with --topic")
    parser.add_argument("--topic", help="whose messages are flows, a line each or several")
    parser.add_argument("--out", required=True, metavar="FOLDER", help="where the rows go; of a lake, a table's")
    parser.add_argument("--checkpoint", required=True, metavar="FOLDER", help="where Spark notes how far it is")
    about = "a batch every so many seconds, until it is ended; without it what is there is scored, and it ends"
    parser.add_argument("--every", type=oneoff.count, metavar="SECONDS", help=about)
    parser.add_argument("--files", type=oneoff.count, default=100, help="of a batch at most (default: %(default)s)")
    parser.add_argument(
        "--messages", type=oneoff.count, default=1_000_000, help="of a batch at most (default: %(default)s)"
    )
    options = parser.parse_args(arguments)
    if (options.follow is None) == (options.kafka is None) or bool(options.kafka) != bool(options.topic):
        parser.error("expected --follow, or --kafka and --topic")
    try:
        stream = Stream(Place(options.model, options.name), options.out)
    except ValueError as problem:
        parser.error(str(problem))
    trigger = {"processingTime": f"{options.every} seconds"} if options.every else {"availableNow": True}
    writer = lines_of(session(), options).writeStream.foreachBatch(stream.score).trigger(**trigger)
    from pyspark.errors import StreamingQueryException

    try:
        writer.option("checkpointLocation", options.checkpoint).start().awaitTermination()
    except StreamingQueryException as problem:
        sys.exit(f"{parser.prog}: error: {oneoff._why(str(problem))}")


if __name__ == "__main__":
    main()
