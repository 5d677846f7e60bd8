"""What a network learns from and is measured on, out of the tables of step logs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import failures_windows as windows
import networks
import oneoff
from failures_twin import BEGIN, HORIZON, WINDOW, WINDOWS_A_DAY

if TYPE_CHECKING:
    import numpy as np
    from pyspark import SparkContext

MINUTES = WINDOW.seconds // 60
# A failure whose lines are shown was first announced so many windows before, or about that.
SHOWN_AHEAD = 5
SHOWN = 40  # lines


@dataclass(frozen=True)
class Data:
    """What there is to learn from and to measure on."""

    train: windows.Windows
    test: windows.Windows
    log_odds: np.ndarray  # of `test`; nothing learns from it
    patterns: Mapping[tuple[str, str], int]  # those that are learnt from: their columns
    services: Sequence[tuple[str, str]]

    @property
    def columns(self) -> list[str]:
        """Names of the numbers that go into a network."""
        return windows.input_names(self.patterns, MINUTES)

    @property
    def names(self) -> list[str]:
        """Of the services, by their numbers."""
        return [name for _, name in self.services]


def count_lines(spark: SparkContext, logs: str, days: int) -> list[windows.Service]:
    """What each service logged. Raises ValueError without any."""
    files = [file.path for file in oneoff.part_files(logs)[1]]
    if not files:
        raise ValueError("there are none; logs.py makes them")
    begin, seconds, number = int(BEGIN.timestamp()), WINDOW.seconds, days * WINDOWS_A_DAY

    def task(path: str) -> list[windows.Service]:
        filesystem, parts = oneoff.part_files(logs)
        (part,) = (part for part in parts if part.path == path)
        with oneoff.open_parquet(filesystem, part) as parquet:
            return windows.services(parquet.read(), begin, seconds, number)

    counted = oneoff.collect(spark.parallelize(files, len(files)).map(task), "logs read")
    return sorted((service for of_file in counted for service in of_file), key=lambda each: (each.host, each.name))


def arrange(found: Sequence[windows.Service], failures: str, truth: str, days: int, most: int) -> Data:
    """Raises ValueError when there is nothing to learn from, or to measure on."""
    number = days * WINDOWS_A_DAY
    failed = _windows_of_failures(failures)
    until = [windows.ahead(failed.get((service.host, service.name), []), number) for service in found]
    learnt, measured = windows.choose(found, until, HORIZON, most)
    columns = _patterns(found, learnt)
    train = windows.gather(found, until, learnt, columns, HORIZON)
    test = windows.gather(found, until, measured, columns, HORIZON)
    for part, purpose in ((train, "to learn from"), (test, "to measure on")):
        failing = int(part.examples.abnormal.sum())
        if not 0 < failing < len(part.ahead):
            others = len(part.ahead) - failing
            raise ValueError(f"{purpose}, expected windows before failures and others, found {failing} and {others}")
    services = [(service.host, service.name) for service in found]
    return Data(train, test, _log_odds(truth, services, test), columns, services)


def _windows_of_failures(folder: str) -> dict[tuple[str, str], list[int]]:
    """The windows at whose ends each service failed."""
    table = oneoff.read_table(folder, ["host", "service", "time"])
    found: dict[tuple[str, str], list[int]] = {}
    for row in [] if table is None else table.to_pylist():
        found.setdefault((row["host"], row["service"]), []).append((row["time"] - BEGIN) // WINDOW - 1)
    return {service: sorted(of_service) for service, of_service in found.items()}


def _patterns(found: Sequence[windows.Service], learnt: Sequence[np.ndarray]) -> dict[tuple[str, str], int]:
    """Those of services and windows that are learnt from, by service and text, with their columns."""
    import numpy as np

    seen = set()
    for service, mine in zip(found, learnt, strict=True):
        if len(mine):
            used = np.unique(service.pattern[service.window <= mine.max()])
            seen.update((service.name, service.patterns[place]) for place in used.tolist())
    return {pattern: place for place, pattern in enumerate(sorted(seen))}


def _log_odds(folder: str, services: Sequence[tuple[str, str]], test: windows.Windows) -> np.ndarray:
    """Of the windows that are measured on."""
    import numpy as np

    numbers = {service: number for number, service in enumerate(services)}
    wanted = {services[number] for number in np.unique(test.service).tolist()}
    table = oneoff.read_table(folder, ["host", "service", "window_number", "log_odds"])
    if table is None:
        raise ValueError("table truth has no rows")
    pairs = list(zip(table["host"].to_pylist(), table["service"].to_pylist(), strict=True))
    mine = np.array([pair in wanted for pair in pairs])
    service = np.array([numbers[pair] for pair in pairs if pair in wanted])
    window, odds = (table[name].to_numpy()[mine] for name in ("window_number", "log_odds"))
    order = np.lexsort((window, service))
    most = int(window.max()) + 1
    place = np.searchsorted((service * most + window)[order], test.service * most + test.window)
    return odds[order][place]


def examples(spark: SparkContext, logs: str, data: Data, scores: np.ndarray) -> list[dict[str, Any]]:
    """Rows of table `examples`: the last lines before a failure of each service, and how alarming they were."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    test, failing = data.test, data.test.examples.abnormal
    limit = networks.threshold(scores[~failing])
    places = zip(test.service.tolist(), test.window.tolist(), strict=True)
    score = dict(zip(places, scores.tolist(), strict=True))
    first: dict[tuple[int, int], int] = {}  # alarm, of each failure
    for place in np.flatnonzero(failing & (scores > limit)).tolist():
        failure = (int(test.service[place]), int(test.window[place] + test.ahead[place]))
        first[failure] = max(first.get(failure, 0), int(test.ahead[place]))
    chosen: dict[str, tuple[int, int]] = {}
    for failure, _ in sorted(first.items(), key=lambda each: (abs(each[1] - SHOWN_AHEAD), each[0])):
        chosen.setdefault(data.names[failure[0]], failure)
    ends = [(number, BEGIN + (last + 1) * WINDOW) for number, last in chosen.values()]
    wanted = [(*data.services[number], end.timestamp()) for number, end in ends]
    span = (HORIZON * WINDOW).total_seconds()

    def task(path: str) -> list[dict[str, Any]]:
        filesystem, parts = oneoff.part_files(logs)
        (part,) = (part for part in parts if part.path == path)
        with oneoff.open_parquet(filesystem, part) as parquet:
            table = parquet.read()
        seconds = pc.divide(table["time"].cast(pa.int64()), 1_000_000)
        rows = []
        for host, name, failed in wanted:
            when = pc.and_(pc.less(seconds, int(failed)), pc.greater_equal(seconds, int(failed - span)))
            mine = pc.and_(pc.and_(pc.equal(table["host"], host), pc.equal(table["service"], name)), when)
            rows += [{**row, "failed": failed} for row in table.filter(mine).to_pylist()[-SHOWN:]]
        return rows

    files = [file.path for file in oneoff.part_files(logs)[1]] if wanted else []
    found = spark.parallelize(files, len(files)).flatMap(task).collect() if files else []
    numbers = {service: number for number, service in enumerate(data.services)}
    for row in found:
        row["failed"] = datetime.fromtimestamp(row["failed"], timezone.utc)
        window = (row["time"] - BEGIN) // WINDOW
        # A window's score is known at its end, and so stands beside lines of the next.
        row["score"] = score.get((numbers[row["host"], row["service"]], window - 1))
        row["alarm"] = row["score"] is not None and row["score"] > limit
    return sorted(found, key=lambda row: (row["service"], row["time"], row["message"]))
