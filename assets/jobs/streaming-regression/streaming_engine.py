"""Learns from a stream, batch after batch, so that each record counts once, whatever dies in between.

A batch goes through the sinks first; the state, which says how far the stream is and what the model has learnt by then,
is written last and whole. What dies before that is done again from the state before; what a sink has of it by then is
taken back or written over. Records that the state knows of are left out, whoever sends them again.
"""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import streaming_files
import streaming_records
import streaming_state
from streaming_models import Model, PredictionError
from streaming_records import Delivered, RecordError
from streaming_sinks import Batch, Sink, errors_of
from streaming_state import State

_LONGEST_RECORD = 1_000  # characters of one that was set aside


class Rules(NamedTuple):
    """What is learnt from, and how."""

    train: str  # topic
    test: str
    features: int
    late: float  # seconds behind the newest of its partition that a record may be
    window: int  # examples of the recent error


class Engine:
    """The stream, from the state that a folder has."""

    def __init__(
        self,
        folder: Path,
        rules: Rules,
        model: Model,
        state: State,
        sinks: Sequence[Sink],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._folder, self._rules, self._model, self._clock = folder, rules, model, clock
        self.state, self.sinks = state, sinks
        self.behind: int | None = None  # records that are there and were not handed over yet, as far as is known
        self.last_row = clock()
        self._lock, self._over = threading.Lock(), False
        if state.model is not None:
            model.load(state.model)

    def batch(self, records: Iterable[Delivered], began: float | None = None) -> None:
        """Takes records in: each sink, then the state. began: when they were asked for, by the clock."""
        began = self._clock() if began is None else began
        with self._working() as works:
            new = self._new(records) if works else []
            if not new:
                return
            batch = self._begin()
            self._learn(new, batch)
            self.state.model = self._model.dump()
            self.last_row = self._clock()
            delay = self.last_row - max(record.time for record in new) / 1000
            self._finish(batch, len(new), self.last_row - began, delay)
            for sink in self.sinks:
                sink.settle(self.state)

    def settle(self) -> None:
        """To be called from time to time: rows come into the lake also when no more records do."""
        with self._working() as works:
            if works:
                for sink in self.sinks:
                    sink.settle(self.state)

    def end(self) -> None:
        """Waits for the batch that is being done, and has the sinks finish. Batches that come later are left alone."""
        with self._working() as works:
            self._over = True
            if works:
                for sink in self.sinks:
                    sink.settle(self.state, over=True)

    def lose(self, topic: str, partition: int, first: int, end: int) -> None:
        """Sets aside the records from one offset to before another, which nobody can read any more."""
        with self._working():
            batch = self._begin()
            self.state.offsets.setdefault(topic, {})[str(partition)] = end - 1
            detail = f"{end - first} records until offset {end - 1} were removed from the topic before they were read"
            self._count(streaming_records.LOST)
            batch.rejected.append([topic, partition, first, None, batch.number, streaming_records.LOST, detail, None])
            self._finish(batch, 0, 0.0, None)

    @contextlib.contextmanager
    def _working(self) -> Iterator[bool]:
        """One at a time; false when it is over. What fails is the last: the state in memory isn't what is saved."""
        with self._lock:
            try:
                yield not self._over
            except BaseException:
                self._over = True
                raise

    def _begin(self) -> Batch:
        self.state.batch += 1
        return Batch(self.state.batch)

    def _finish(self, batch: Batch, records: int, seconds: float, delay: float | None) -> None:
        """Each sink, then the state."""
        done = [batch.number, round(1000 * self._clock()), records, len(batch.rejected), seconds, delay, self.behind]
        batch.summary = [*done, *errors_of(self.state)]
        for sink in self.sinks:
            sink.write(batch)
            streaming_files.reach(f"after-{type(sink).__name__.lower()}")
        streaming_state.save(self.state, self._folder)
        streaming_files.reach("state-saved")

    def _new(self, records: Iterable[Delivered]) -> list[Delivered]:
        """Those that the state doesn't know of, in the order in which they are learnt from."""
        found = list(records)
        new = [one for one in found if not self.state.is_done(one.topic, one.partition, one.offset)]
        self.state.repeated += len(found) - len(new)
        return sorted(new, key=lambda one: (one.time, one.topic, one.partition, one.offset))

    def _learn(self, records: Sequence[Delivered], batch: Batch) -> None:
        late = self._late(records)
        for record in records:
            state = self.state
            state.records += 1
            offsets = state.offsets.setdefault(record.topic, {})
            offsets[str(record.partition)] = max(record.offset, offsets.get(str(record.partition), -1))
            try:
                if behind := late.get(record[:3]):
                    raise RecordError(
                        streaming_records.LATE, f"it is {behind:.0f} s behind the newest of its partition"
                    )
                batch.predictions.append(self._take(record))
            except RecordError as problem:
                self._count(problem.reason)
                text = None if record.value is None else record.value.decode(errors="replace")[:_LONGEST_RECORD]
                why = [problem.reason, problem.detail, text]
                batch.rejected.append([*record[:4], batch.number, *why])

    def _late(self, records: Sequence[Delivered]) -> dict[tuple[str, int, int], float]:
        """Which are late, and by how many seconds: a matter of their partition alone, however batches are cut."""
        found, now = {}, round(1000 * self._clock())  # a record of the future doesn't make all that follow late
        for record in sorted(records, key=lambda one: one.offset):
            newest = self.state.newest.setdefault(record.topic, {})
            time_ = max(min(record.time, now), newest.get(str(record.partition), 0))
            newest[str(record.partition)] = time_
            if (behind := (time_ - record.time) / 1000) > self._rules.late:
                found[record[:3]] = behind
        return found

    def _take(self, record: Delivered) -> list[float | int | str | None]:
        """Predicts, and then learns from what is of topic train. Raises RecordError."""
        state = self.state
        example = streaming_records.read(record.value, self._rules.features)
        if example.name is not None and not state.remember(f"{record.topic} {example.name}"):
            raise RecordError(streaming_records.DUPLICATE, f"its id came before: {example.name[:100]!r}")
        learns = record.topic == self._rules.train
        errors, version = state.errors["train" if learns else "test"], state.learnt
        try:
            prediction = self._model.predict(example.x)
            squared = (prediction - example.y) * (prediction - example.y)
            if not math.isfinite(squared):
                raise PredictionError(f"the prediction is {prediction}")
        except PredictionError as problem:
            if not any(each.count for each in state.errors.values()):
                raise  # it never has predicted anything
            raise RecordError(streaming_records.NOT_PREDICTED, str(problem)[:200]) from problem
        baseline = (example.y - state.mean) ** 2
        noise = None if example.truth is None else (example.y - example.truth) ** 2
        errors.add(squared, baseline, noise, self._rules.window)
        if learns:
            self._model.learn(example.x, example.y)
            state.learnt += 1
            state.mean += (example.y - state.mean) / state.learnt
        found = [example.y, prediction, squared, baseline, noise, version, state.batch]
        return [*record[:4], *example.x, *found]

    def _count(self, reason: str) -> None:
        self.state.rejected[reason] = self.state.rejected.get(reason, 0) + 1
