"""Produces a stream to learn from, to Kafka: points about a linear truth, which may drift, or the rows of a CSV.

Equal seeds make equal records, one after another; when they come is a matter of the rate.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import json
import math
import random
import signal
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

try:
    import oneoff
except ImportError:  # not beside it, but in the folder above
    sys.path.append(str(Path(__file__).resolve().parents[1]))
    import oneoff

CLIENT = "assets/scoring/kafka/requirements.txt"
CONNECT_SECONDS = 8
FLUSH_SECONDS = 10
BURST_EVERY = 10  # seconds, of which one has a burst
_MALFORMED = (
    b"no JSON",
    b'{"x": [NaN, 1], "y": 1}',
    b'{"x": [1], "y": 1}',
    b'{"x": [0, 0, 0, 0], "y": 1}',
    b'{"y": 2}',
)


class Record(NamedTuple):
    """What goes to a topic."""

    is_test: bool
    value: bytes


class Truth:
    """A line, or plane, whose weights wander."""

    def __init__(self, seed: int, features: int, drift: float, rate: float) -> None:
        """drift: how far each weight wanders in a minute, as a standard deviation."""
        self._dice = random.Random(f"{seed} truth")
        self.weights = [round(self._dice.uniform(-2, 2), 3) for _ in range(features + 1)]
        self._step = drift / math.sqrt(60 * rate)

    def at(self, x: Sequence[float]) -> float:
        """y without its noise; the last weight is the constant."""
        return sum(weight * value for weight, value in zip(self.weights, (*x, 1.0), strict=True))

    def wander(self) -> None:
        """To the next record."""
        if self._step:
            self.weights = [weight + self._dice.gauss(0, self._step) for weight in self.weights]


def made_up(options: argparse.Namespace) -> Iterator[Record]:
    """Records without end."""
    truth = Truth(options.seed, options.features, options.drift, options.rate)
    print(f"the truth begins at {truth.weights}, the noise's variance is {options.noise**2:g}", flush=True)
    dice, ids = random.Random(f"{options.seed} records"), options.ids or options.seed
    for number in itertools.count():
        x = [round(dice.uniform(-1, 1), 6) for _ in range(options.features)]
        exact = truth.at(x)
        truth.wander()
        found = {"id": f"{ids}-{number}", "x": x, "y": exact + dice.gauss(0, options.noise), "truth": exact}
        is_test, is_malformed, kind = (
            dice.random() < options.test_share,
            dice.random() < options.malformed,
            dice.random(),
        )
        value = _MALFORMED[int(kind * len(_MALFORMED))] if is_malformed else json.dumps(found).encode()
        yield Record(is_test, value)


def of_csv(options: argparse.Namespace) -> Iterator[Record]:
    """The rows of a file with a header. What is no number goes out as it is, for the job to set aside."""
    dice = random.Random(f"{options.seed} records")
    with Path(options.csv).open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file)
        names = [*options.columns, options.target]
        if missing := [name for name in names if name not in (rows.fieldnames or ())]:
            there = ", ".join(rows.fieldnames or ()) or "none"
            raise ValueError(f"{options.csv} has no column {missing[0]!r}: there are {there}")
        for row in rows:
            *x, y = (_number(row[name]) for name in names)
            yield Record(dice.random() < options.test_share, json.dumps({"x": x, "y": y}).encode())


def _number(text: str | None) -> float | str | None:
    try:
        return float(text or "")
    except ValueError:
        return text


def paced(records: Iterable[Record], options: argparse.Namespace, stop: threading.Event) -> Iterator[Record]:
    """Each when its time has come, by the rate and its bursts."""
    begun, due = time.monotonic(), 0.0
    for number, record in enumerate(records):
        if stop.is_set() or (options.rows and number >= options.rows):
            return
        if options.seconds and time.monotonic() - begun >= options.seconds:
            return
        in_burst = options.burst > 1 and due % BURST_EVERY < 1
        due += 1 / (options.rate * (options.burst if in_burst else 1))
        ahead = begun + due - time.monotonic()
        if ahead > 0.005:  # shorter waits come out longer than they are
            stop.wait(ahead)
        yield record


class Sender:
    """Kafka's end of it."""

    def __init__(self, options: argparse.Namespace, stop: threading.Event) -> None:
        """Raises ValueError where the broker or a topic is not there, or there is no client."""
        try:
            import confluent_kafka
        except ImportError as problem:
            raise ValueError(f"{problem}: install it with pip install --require-hashes -r {CLIENT}") from None
        self._options, self._stop, self.sent, self._problem = options, stop, 0, ""
        self._told, self._before, self._stands = time.monotonic(), -1, False
        self._producer = confluent_kafka.Producer(
            {
                "bootstrap.servers": options.kafka,
                # What is sent again comes once, and in order.
                "enable.idempotence": True,
                "linger.ms": 5,
                "log_level": 0,
                "error_cb": self._note,
            }
        )
        for topic in (options.train_topic, options.test_topic):
            try:
                there = self._producer.list_topics(topic, CONNECT_SECONDS).topics[topic]
            except confluent_kafka.KafkaException:
                why = f" ({self._problem})" if self._problem else ""
                raise ValueError(f"no broker answers at {options.kafka}{why}: start it, or give another") from None
            if there.error is not None or not there.partitions:
                raise ValueError(f"there is no topic {topic} at {options.kafka}: make it, or give another")

    def _note(self, problem: object) -> None:
        self._problem = str(getattr(problem, "str", lambda: problem)())

    def send(self, record: Record) -> None:
        """Takes a record in; it goes out by itself."""
        topic = self._options.test_topic if record.is_test else self._options.train_topic
        while not self._stop.is_set():
            try:
                self._producer.produce(topic, record.value, on_delivery=self._delivered)
                break
            except BufferError:  # the broker is slower than we are, or gone
                self._producer.poll(0.1)
                self.tell()
        self._producer.poll(0)
        self.tell()

    def tell(self) -> None:
        """From time to time, how many have arrived."""
        if not self._options.tell or time.monotonic() - self._told < self._options.tell:
            return
        self._told = time.monotonic()
        oneoff.progress("records", self.sent, self._options.rows or 0)
        stands = self.sent == self._before and self._problem != ""
        if stands and not self._stands:
            print(f"produce.py: nothing arrives: {self._problem}", file=sys.stderr, flush=True)
        self._before, self._stands = self.sent, stands

    def _delivered(self, error: Any, _: object) -> None:  # noqa: ANN401 - the client's
        if error is None:
            self.sent += 1
        else:
            self._problem = error.str()

    def end(self) -> int:
        """Waits for what is under way; returns how many never arrived."""
        left = self._producer.flush(FLUSH_SECONDS)
        if left:
            print(f"produce.py: error: {left} records were not taken: {self._problem}", file=sys.stderr)
        return left


def _share(text: str) -> float:
    return _between(text, 0, 1)


def _rate(text: str) -> float:
    return _between(text, 0.01, 1e6)


def _positive(text: str) -> float:
    return _between(text, 0, 1e9)


def _burst(text: str) -> float:
    return _between(text, 1, 1000)


def _between(text: str, least: float, most: float) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not least <= value <= most:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from {least:g} to {most:g}")
    return value


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line's options."""
    parser = oneoff.ArgumentParser(description="Produce a stream to learn from, to topics of Kafka that are there.")
    add = parser.add_argument
    add("--kafka", default="127.0.0.1:9092", metavar="HOST:PORT", help="broker (default: %(default)s)")
    add("--train-topic", default="train", help="default: %(default)s")
    add("--test-topic", default="test", help="default: %(default)s")
    add("--test-share", type=_share, default=0.2, help="part of the records that go to topic test (default: 0.2)")
    add("--rate", type=_rate, default=100, help="records a second (default: %(default)s)")
    add("--burst", type=_burst, default=1, help=f"times as many, in one of {BURST_EVERY} seconds (default: 1, none)")
    add("--rows", type=oneoff.count, metavar="N", help="end after so many records")
    add("--seconds", type=_positive, metavar="N", help="end after so long")
    add("--tell", type=_positive, metavar="SECONDS", help="say every so often how many have arrived")
    add("--seed", type=oneoff.seed, default=1, help="equal seeds make equal records (default: %(default)s)")
    add("--ids", metavar="WORD", help="what ids begin with: one that came before is a duplicate (default: the seed)")
    add("--features", type=oneoff.count, default=2, help="numbers of x (default: %(default)s)")
    add("--drift", type=_positive, default=0, help="how far each weight wanders in a minute (default: 0)")
    add("--noise", type=_positive, default=0.1, help="standard deviation of y about its truth (default: 0.1)")
    add("--malformed", type=_share, default=0, help="part of the records that are none (default: 0)")
    add("--csv", metavar="FILE", help="with a header: its rows, instead of what is made up")
    add("--columns", type=lambda text: text.split(","), metavar="A,B", help="of the CSV: its numbers of x")
    add("--target", metavar="C", help="of the CSV: its y")
    options = parser.parse_args(arguments)
    if (options.csv is None) != (options.columns is None) or (options.csv is None) != (options.target is None):
        parser.error("--csv, --columns and --target are given together")
    if options.csv and not Path(options.csv).is_file():
        parser.error(f"argument --csv: there is no file {options.csv!r}")
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    options, stop = parse(arguments), threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        sender = Sender(options, stop)
        for record in paced(of_csv(options) if options.csv else made_up(options), options, stop):
            sender.send(record)
    except (ValueError, OSError) as problem:
        print(f"produce.py: error: {problem}", file=sys.stderr)
        return 2
    left = sender.end()
    print(f"{sender.sent} records were sent", flush=True)
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
