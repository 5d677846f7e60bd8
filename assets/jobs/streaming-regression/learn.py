"""Learns from a stream of Kafka as it comes: predicts, records, then learns, so that every prediction is an honest one.

One query of Spark's Structured Streaming reads both topics. What it has done is known from the state, in a folder of
this machine, and from nothing else: Spark's own checkpoint is begun anew at each start.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import os
import shutil
import signal
import sys
import threading
import time
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import oneoff
import streaming_kafka
import streaming_models
import streaming_sinks
import streaming_state
import streaming_store
from streaming_engine import Engine, Rules
from streaming_kafka import KafkaError
from streaming_models import Model, ModelError
from streaming_records import Delivered
from streaming_state import StateError
from streaming_store import StoreError

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.streaming import StreamingQuery

LOOK_SECONDS = 0.5  # from one look to the next whether the run is to end
LOOK_SECONDS_OF_BUCKETS = 5  # where each look is billed
LOCK_SECONDS = 20  # that another process may take to let the state go
EXIT_WRONG = 2  # what would end so again
_CONF = {
    # A batch is done in the driver: what it takes is the time of each task and of each query plan.
    "spark.sql.shuffle.partitions": "2",
    "spark.sql.adaptive.enabled": "false",
    # A stream has batches without end, and Spark remembers many of them.
    "spark.sql.streaming.minBatchesToRetain": "5",
    "spark.sql.streaming.numRecentProgressUpdates": "5",
    "spark.sql.streaming.noDataProgressEventInterval": "1000",  # milliseconds
    "spark.sql.ui.retainedExecutions": "20",
    "spark.ui.retainedJobs": "50",
    "spark.ui.retainedStages": "50",
    "spark.ui.retainedTasks": "500",
    "spark.sql.streaming.metricsEnabled": "false",
}


def session() -> SparkSession:
    """Spark."""
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.appName("streaming-regression")
    for name, value in _CONF.items():
        builder = builder.config(name, value)
    return builder.getOrCreate()


class Learner:
    """The stream from its start to its end."""

    def __init__(self, options: argparse.Namespace) -> None:
        """options: as `parse` returns them."""
        self.options, self.folder = options, Path(options.state)
        self.failure: Exception | None = None
        self.terminated, self.is_busy = threading.Event(), threading.Event()

    def run(self, spark: SparkSession) -> None:
        """Raises StateError, ModelError, KafkaError, StoreError, OSError, and StreamingQueryException."""
        options = self.options
        with locked(self.folder):
            model = model_of(options)
            topics = [options.train_topic, options.test_topic]
            identity = {"model": model.name, "features": options.features, "topics": topics}
            state = streaming_state.load(self.folder, identity)
            state.begin(options.run)
            there = streaming_kafka.look(spark._jvm, options.kafka, topics)
            lost = streaming_kafka.lost(there, state)
            engine = self.engine(model, state)
            for each in lost:
                engine.lose(*each)
            print(f"learn.py: {state.records} records are done, {len(there)} topics are read", flush=True)
            query = self.start(spark, engine, streaming_kafka.starting_offsets(there, state))
            try:
                why = self.follow(engine, query)
                engine.end()
            finally:
                with contextlib.suppress(Exception):  # Spark's, of a query that is being stopped while it works
                    query.stop()
            print(f"learn.py: {why}: {state.records} records are done", flush=True)

    def engine(self, model: Model, state: streaming_state.State) -> Engine:
        """With its sinks."""
        options = self.options
        place = streaming_sinks.LakePlace(
            options.lake, options.run, self.folder / "log", options.every, options.features, model.name
        )
        sinks: list[streaming_sinks.Sink] = [streaming_sinks.Lake(place, state)]
        if options.store:
            sinks.append(streaming_store.Store(store_of(options)))
        if options.page:
            token = Path(options.page_token).read_text(encoding="utf-8").strip() if options.page_token else None
            address = f"{options.page}/api/feeds/{options.run}"
            topics = {"train": options.train_topic, "test": options.test_topic}
            sinks.append(streaming_sinks.Hub(address, token, options.features, topics))
        rules = Rules(options.train_topic, options.test_topic, options.features, options.late, options.window)
        return Engine(self.folder, rules, model, state, sinks)

    def start(self, spark: SparkSession, engine: Engine, offsets: str) -> StreamingQuery:
        """Has Spark hand over batches."""
        options, checkpoint = self.options, self.folder / "checkpoint"
        shutil.rmtree(checkpoint, ignore_errors=True)
        source = {
            "kafka.bootstrap.servers": options.kafka,
            "subscribe": f"{options.train_topic},{options.test_topic}",
            "startingOffsets": offsets,
            "maxOffsetsPerTrigger": str(options.most),
            "failOnDataLoss": "true",
        }
        frame = spark.readStream.format("kafka").options(**source).load()
        frame = frame.selectExpr("topic", "partition", "offset", "unix_millis(timestamp)", "value")

        def batch(frame: DataFrame, _: int) -> None:
            began = time.time()
            self.is_busy.set()
            try:
                rows = frame.collect()
                records = [Delivered(*row[:4], None if row[4] is None else bytes(row[4])) for row in rows]
                engine.batch(records, began)
            except Exception as problem:
                self.failure = problem
                raise
            finally:
                self.is_busy.clear()

        writer = frame.writeStream.foreachBatch(batch).queryName("streaming-regression")
        return (
            writer.option("checkpointLocation", checkpoint.resolve().as_uri())
            .trigger(processingTime="0 seconds")
            .start()
        )

    def follow(self, engine: Engine, query: StreamingQuery) -> str:
        """Until it is to end; returns why."""
        options, told = self.options, time.monotonic()
        every = LOOK_SECONDS_OF_BUCKETS if "://" in options.lake else LOOK_SECONDS
        asked_at = -float(every)
        while not query.awaitTermination(min(LOOK_SECONDS, every)):
            engine.behind = behind(query, engine)
            engine.settle()
            if time.monotonic() - asked_at >= every:
                asked_at = time.monotonic()
                if why := oneoff.asked_to_stop(options.lake, options.run):
                    return why
            if self.terminated.is_set():
                return "ended by SIGTERM"
            if options.rows and engine.state.records - engine.state.before >= options.rows:
                return f"{options.rows} records were asked for"
            waits = engine.behind == 0 and not self.is_busy.is_set()
            if options.idle and waits and time.time() - engine.last_row >= options.idle:
                return f"no record came for {options.idle:g} s"
            if time.monotonic() - told >= options.every:
                told = time.monotonic()
                self.tell(engine)
        return "the query ended"

    def tell(self, engine: Engine) -> None:
        """How it goes."""
        state = engine.state
        if self.options.rows:
            done = state.records - state.before
            oneoff.progress("records", min(done, self.options.rows), self.options.rows)
        aside = f", {sum(state.rejected.values())} set aside" if state.rejected else ""
        print(f"batch {state.batch}: {state.records} records{aside}", flush=True)


def behind(query: StreamingQuery, engine: Engine) -> int | None:
    """How many records there are that the state is not of yet; None while Spark doesn't say."""
    progress = query.lastProgress
    latest = progress["sources"][0]["latestOffset"] if progress and progress["sources"] else None
    if latest is None:
        return None
    ends: dict[str, dict[str, int]] = json.loads(latest) if isinstance(latest, str) else latest
    offsets = engine.state.offsets
    return sum(
        max(0, end - 1 - offsets.get(topic, {}).get(partition, -1))
        for topic, partitions in ends.items()
        for partition, end in partitions.items()
    )


def model_of(options: argparse.Namespace) -> Model:
    """The model that was asked for. Raises ModelError."""
    if options.model:
        return streaming_models.Own(_file(options.model), options.features)
    if options.algorithm == "sgd":
        return streaming_models.Sgd(options.features, options.learning_rate)
    return streaming_models.Rls(options.features, options.forgetting)


def store_of(options: argparse.Namespace) -> streaming_store.StorePlace:
    """The store that was asked for. Raises StoreError and OSError."""
    login = streaming_store.read_login(options.store_login)
    ca = _file(options.store_ca) if options.store_ca else None
    return streaming_store.StorePlace(options.store, options.store_index, options.run, options.features, login, ca)


def _file(name: str) -> Path:
    """A file of the step, wherever the cluster has put it."""
    from pyspark import SparkFiles

    path = Path(name)
    return path if path.exists() else Path(SparkFiles.get(path.name))


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Has the folder for this process alone. Raises BlockingIOError."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as file:
        ends = time.monotonic() + LOCK_SECONDS
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                if time.monotonic() > ends:
                    told = f"another process has the state in {folder}: end it, or give another"
                    raise BlockingIOError(told) from None
                time.sleep(0.2)
        yield


def _number(least: float, most: float) -> Any:  # noqa: ANN401 - what argparse takes
    def number(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number from {least:g} to {most:g}")
        return value

    return number


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line's options."""
    parser = oneoff.ArgumentParser(
        description="Learn from a stream of Kafka: predict, record, then learn. Records are JSON, such as "
        '{"x": [0.5, 2], "y": 1.5}. Exit code 2: what was asked for is wrong, or not what the state is of.'
    )
    parser.add_argument("--lake", required=True, help="a folder, or s3://BUCKET/PREFIX or gs://BUCKET/PREFIX")
    parser.add_argument("--run", required=True, help="id of the run")
    about = "of this machine: how far the stream is and what has been learnt; it must outlive the driver"
    parser.add_argument("--state", required=True, metavar="FOLDER", help=about)
    parser.add_argument("--kafka", required=True, metavar="HOST:PORT", help="broker, or several separated by commas")
    parser.add_argument("--train-topic", default="train", help="of what is learnt from (default: %(default)s)")
    parser.add_argument("--test-topic", default="test", help="of what is predicted alone (default: %(default)s)")
    parser.add_argument("--features", type=oneoff.count, default=2, help="numbers of x (default: %(default)s)")
    parser.add_argument("--model", metavar="FILE", help="Python with predict(state, x) and learn(state, x, y)")
    parser.add_argument("--algorithm", choices=("rls", "sgd"), default="rls", help="without --model: %(choices)s")
    about = "rls: how much an example counts beside the next, for a truth that drifts (default: %(default)s)"
    parser.add_argument("--forgetting", type=_number(0.5, 1), default=1.0, help=about)
    about = "sgd: how far it goes for an example (default: %(default)s)"
    parser.add_argument("--learning-rate", type=_number(1e-9, 1), default=0.01, help=about)
    parser.add_argument(
        "--window", type=oneoff.count, default=1000, help="examples of the recent error (default: %(default)s)"
    )
    about = "behind the newest of its partition that a record may be (default: %(default)s)"
    parser.add_argument("--late", type=_number(0, 1e9), default=600, metavar="SECONDS", help=about)
    about = "records that a batch has at most (default: %(default)s)"
    parser.add_argument("--most", type=oneoff.count, default=20_000, help=about)
    about = "from one part file of a partition to the next (default: %(default)s)"
    parser.add_argument("--every", type=_number(0.1, 86_400), default=10, metavar="SECONDS", help=about)
    parser.add_argument("--page", metavar="ADDRESS", help="of the dashboard, which is sent rows as they come")
    parser.add_argument("--page-token", metavar="FILE", help="with what the page is told by who sends rows")
    about = "of OpenSearch or Elasticsearch, which is given a document for each record"
    parser.add_argument("--store", metavar="ADDRESS", help=about)
    parser.add_argument("--store-index", default="streaming-regression", help="of documents (default: %(default)s)")
    parser.add_argument("--store-login", metavar="FILE", help="with USER:PASSWORD, for https:// alone")
    parser.add_argument("--store-ca", metavar="FILE", help="of certificates (PEM) that the store's may be of")
    parser.add_argument("--rows", type=oneoff.count, metavar="N", help="end after so many records")
    parser.add_argument("--idle", type=_number(0.1, 1e9), metavar="SECONDS", help="end when none came for so long")
    options = parser.parse_args(arguments)
    if "://" in options.state:
        parser.error(
            f"argument --state: {options.state!r} is no folder of this machine: give one that outlives the driver"
        )
    if "://" not in options.lake and Path(options.lake).resolve() == Path(options.state).resolve():
        parser.error(f"argument --state: {options.state!r} is the lake: give another folder")
    if options.train_topic == options.test_topic:
        parser.error(f"argument --test-topic: {options.test_topic!r} is the topic that is learnt from: give another")
    if options.page and not options.page.startswith(("http://", "https://")):
        parser.error(f"argument --page: {options.page!r} is not an address that begins with http:// or https://")
    if problem := streaming_store.problem_of(options.store, options.store_login):
        parser.error(problem)
    options.page = options.page and options.page.rstrip("/")
    options.lake = options.lake.rstrip("/")
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    options = parse(arguments)
    learner = Learner(options)
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, lambda *_: learner.terminated.set())
    spark = session()
    from pyspark.errors import StreamingQueryException

    try:
        learner.run(spark)
    except (StateError, ModelError, KafkaError, OSError, ValueError, StreamingQueryException) as problem:
        ours = learner.failure or problem
        reason = oneoff._why(str(ours)) if isinstance(ours, StreamingQueryException) else str(ours)
        print(f"learn.py: error: {' '.join(reason.split())}", file=sys.stderr, flush=True)
        return EXIT_WRONG if isinstance(ours, (StateError, ModelError, StoreError)) else 1
    finally:
        with contextlib.suppress(Exception):  # its JVM may be gone
            spark.stop()
    return 0


if __name__ == "__main__":
    code = 1
    try:
        code = main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:  # such as py4j's, when the JVM has died
        traceback.print_exc()
    # Threads of Spark's, and one that waits for a page, are not waited for.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
