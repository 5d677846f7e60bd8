"""Where what a batch leaves goes, before the state says that the batch is done.

A sink that fails stops the batch, which is then done again. Each takes the same rows twice without harm: the lake by
its log, whose lines of batches that are not done are cut off; a page by where rows are from.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import http.client
import json
import os
import queue
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import oneoff
import streaming_files
import streaming_log
import streaming_tables
from streaming_state import State
from streaming_tables import Row

MODEL_SECONDS = 60  # from one row of the model to the next
MOST_ROWS = 50_000  # that part files are written for at the latest
HUB_SECONDS = 0.2  # that a page has to take a batch
HUB_ROWS = 2_000  # that it is told of a batch at most, the newest
HUB_BATCHES = 4  # that wait for it


@dataclasses.dataclass
class Batch:
    """What a batch leaves: rows of tables by their columns."""

    number: int
    predictions: list[Row] = dataclasses.field(default_factory=list)
    rejected: list[Row] = dataclasses.field(default_factory=list)
    summary: Row = ()


class Sink(Protocol):
    """One place."""

    def write(self, batch: Batch) -> None:
        """Takes a batch in, before the state says that it is done."""
        ...

    def settle(self, state: State, *, over: bool = False) -> None:
        """Called when the state has been saved, and from time to time without a batch. over: nothing comes any more."""
        ...


class Lake:
    """Part files in the lake, every few seconds; until then rows lie in a log on this machine."""

    def __init__(self, place: LakePlace, state: State, clock: Callable[[], float] = time.time) -> None:
        """Writes what earlier runs of the same state could not. Raises OSError and ValueError."""
        self._place, self._state, self._clock = place, state, clock
        for folder in sorted(place.logs.glob("*")):
            if folder != place.log and (folder / _PLACE).exists():
                self._finish(folder, state)
        place.log.mkdir(parents=True, exist_ok=True)
        kept = {"lake": place.lake, "run": place.run}
        streaming_files.replace(place.log / _PLACE, json.dumps(kept).encode())
        self._log = streaming_log.Log(place.log, state.batch)
        self._modelled = self._log.last if self._log.has_model else None  # the batch of the last model
        self._write_pieces(place)
        self._written = clock()

    def write(self, batch: Batch) -> None:
        rows = {"predictions": batch.predictions, "rejected": batch.rejected, "batches": [batch.summary]}
        ended = batch.summary[1]
        if (minute := ended // (1000 * MODEL_SECONDS)) != self._state.modelled and self._state.learnt:
            self._state.modelled = minute  # which is saved with the batch, so that another start has the same rows
            rows["models"] = [model_row(self._state, self._place.algorithm, ended)]
            self._modelled = batch.number
        self._log.append({"batch": batch.number, **{name: found for name, found in rows.items() if found}})

    def settle(self, state: State, *, over: bool = False) -> None:
        due = self._clock() - self._written >= self._place.every or self._log.rows >= MOST_ROWS
        if not (over or due):
            return
        self._written = self._clock()
        if over and state.learnt and self._modelled != state.batch:
            model = model_row(state, self._place.algorithm, round(1000 * self._clock()))
            self._log.append({"batch": state.batch, "models": [model]})
        if self._log.first is not None:
            self._log.cut()
            self._write_pieces(self._place)
        if over:
            self._log.close()
            shutil.rmtree(self._place.log)

    def _finish(self, folder: Path, state: State) -> None:
        """Writes what another run left in its log, into its own tables."""
        left = json.loads((folder / _PLACE).read_bytes())
        log = streaming_log.Log(folder, state.batch)
        log.cut()
        log.close()
        self._write_pieces(dataclasses.replace(self._place, lake=left["lake"], run=left["run"]))
        shutil.rmtree(folder)

    def _write_pieces(self, place: LakePlace) -> None:
        for piece in streaming_log.pieces(place.log):
            for address, name, table, rows in _parts(piece, place):
                streaming_files.reach("part-begun")
                oneoff.write_part(streaming_tables.part(table, rows, place.features), address, name)
                _outlive(address, name)
                streaming_files.reach("part-written")
            piece.path.unlink()
            streaming_files.reach("piece-removed")
            streaming_files.sync_folder(place.log)


_PLACE = "place.json"


@dataclasses.dataclass(frozen=True)
class LakePlace:
    """Which run of which lake rows go to, and where the log of them is."""

    lake: str
    run: str
    logs: Path
    every: float  # seconds from part to part
    features: int
    algorithm: str

    @property
    def log(self) -> Path:
        """The run's own."""
        return self.logs / f"{self.run}@{hashlib.blake2b(self.lake.encode(), digest_size=4).hexdigest()}"

    def table(self, name: str) -> str:
        """Address of the folder of the run's rows."""
        return f"{self.lake.rstrip('/')}/{name}/run={self.run}"


def _parts(piece: streaming_log.Piece, place: LakePlace) -> Iterator[tuple[str, str, str, list[Row]]]:
    """Part files of a piece of the log: folder, name, table and rows of each, in an order that is always the same."""
    lines = streaming_log.contents(piece)
    by_place: dict[tuple[str, int], list[Row]] = {}
    for row in (row for line in lines for row in line.get("predictions", ())):
        by_place.setdefault((row[0], row[1]), []).append(row)
    for (topic, partition), rows in sorted(by_place.items()):
        rows.sort(key=lambda row: row[2])
        name = f"offsets-{topic}-{partition}-{rows[0][2]:012d}-{rows[-1][2]:012d}"
        yield place.table("predictions"), name, "predictions", rows
    for table in ("rejected", "batches", "models"):
        if rows := [row for line in lines for row in line.get(table, ())]:
            yield place.table(table), f"{table}-{piece.first:09d}-{piece.last:09d}", table, rows


def _outlive(folder: str, name: str) -> None:
    """Has a part file outlive the machine's power: what the log has of it is removed next."""
    if "://" in folder:
        return
    with Path(folder, f"{name}.parquet").open("rb") as file:
        os.fsync(file.fileno())
    streaming_files.sync_folder(Path(folder))


def model_row(state: State, algorithm: str, now: int) -> list[Any]:
    """The model as table `models` has it."""
    model = [json.dumps(state.model), json.dumps(state.offsets)]
    return [state.learnt, state.batch, now, algorithm, state.identity["features"], *model, *errors_of(state)]


def errors_of(state: State) -> list[float | int | None]:
    """Errors so far, as two tables have them: of train, then of test."""
    found: list[float | int | None] = []
    for name in ("train", "test"):
        errors = state.errors[name]
        recent = errors.recent if errors.count else None
        noise = errors.noise / errors.known if errors.known else None
        found += [errors.count, errors.mean(errors.squared), recent, errors.mean(errors.baseline), noise]
    return found


class Hub:
    """A page that shows rows as they come: best effort, and whatever becomes of it, the model doesn't wait.

    It is sent lines of JSON, `{"feed": NAME, "row": {...}}`: feed "predictions" has a row for each prediction, "errors"
    one for each topic of a batch, "batches" two for each batch. A page that takes longer than HUB_SECONDS, or isn't
    there, misses them: it has the lake.
    """

    def __init__(self, address: str, secret: str | None, features: int, topics: Mapping[str, str]) -> None:
        """secret: what the page is told as a bearer's token. topics: by what they are, train and test."""
        self._address, self._features, self._topics = urlsplit(address), features, topics
        self._headers = {"Content-Type": "application/x-ndjson"}
        if secret:
            self._headers["Authorization"] = f"Bearer {secret}"
        self._waiting: queue.Queue[bytes | None] = queue.Queue(HUB_BATCHES)
        self.missed = 0  # batches
        self._thread = threading.Thread(target=self._send_all, name="hub", daemon=True)
        self._thread.start()

    def write(self, batch: Batch) -> None:
        lines = [{"feed": "predictions", "row": self._prediction(row)} for row in batch.predictions[-HUB_ROWS:]]
        summary = dict(zip(streaming_tables.columns("batches", self._features), batch.summary, strict=True))
        ended = _iso(summary["ended"])
        for kind, topic in self._topics.items():
            names = {"error": "error", "mean_error": "baseline_error", "noise": "noise_error", "predicted": "count"}
            errors = {name: summary[f"{kind}_{column}"] for name, column in names.items()}
            if errors["predicted"]:
                lines.append({"feed": "errors", "row": {"topic": topic, **errors, "ended": ended}})
        for what, took in (("batch", summary["seconds"]), ("delay", summary["delay"])):
            lines.append({"feed": "batches", "row": {"moment": ended, "what": what, "took": took}})
        try:
            self._waiting.put_nowait("".join(f"{json.dumps(line)}\n" for line in lines).encode())
        except queue.Full:
            self.missed += 1

    def _prediction(self, row: Row) -> dict[str, Any]:
        columns = streaming_tables.columns("predictions", self._features)
        found = dict(zip(columns, row, strict=True))
        shown = (name for name in found if name not in ("model_version", "batch"))
        return {**{name: found[name] for name in shown}, "event_time": _iso(found["event_time"])}

    def settle(self, state: State, *, over: bool = False) -> None:
        if over:
            with contextlib.suppress(queue.Full):
                self._waiting.put(None, timeout=HUB_SECONDS)
            self._thread.join(2 * HUB_SECONDS)

    def _send_all(self) -> None:
        connection: http.client.HTTPConnection | None = None
        while (lines := self._waiting.get()) is not None:
            try:
                connection = connection or self._connect()
                connection.request("POST", self._address.path or "/", lines, self._headers)
                answer = connection.getresponse()
                answer.read()
                if answer.status >= 300:
                    raise OSError(f"the page answers {answer.status}")
            except (OSError, http.client.HTTPException):
                self.missed += 1
                if connection:
                    connection.close()
                connection = None

    def _connect(self) -> http.client.HTTPConnection:
        kind = http.client.HTTPSConnection if self._address.scheme == "https" else http.client.HTTPConnection
        return kind(self._address.netloc, timeout=HUB_SECONDS)


def _iso(moment: int) -> str:
    """Milliseconds since 1970 as a page reads them."""
    at = datetime.fromtimestamp(moment / 1000, timezone.utc)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
