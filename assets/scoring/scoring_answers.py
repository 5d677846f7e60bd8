"""What a network says of flows, a line each, and what is counted of it."""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import scoring_flows
from nids_layouts import NORMAL
from scoring_model import Network

if TYPE_CHECKING:
    import numpy as np

SECONDS = 900  # that are told one by one
LATEST = 50  # alarms, and faults, that are kept
MOST_FAMILIES = 64  # that are counted apart
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)  # seconds of a batch
_UNKNOWN = "unknown"  # family of an alarm of a network that knows none


@dataclass(frozen=True)
class Scored:
    """Answers to lines."""

    answers: list[str]  # JSON, one for each line that is not blank, in their order
    flows: int
    alarms: int
    families: dict[str, int]  # of the alarms
    latest: list[dict[str, Any]]  # alarms, the last ones
    faults: list[str]


@dataclass(frozen=True)
class Verdicts:
    """What a network says of the flows of a batch, in their order."""

    scores: np.ndarray
    alarm: np.ndarray  # whether each is one
    names: list[str]  # families


def score_batch(network: Network, batch: scoring_flows.Batch) -> Verdicts:
    """Has a network score flows."""
    import numpy as np

    if not batch.places:
        return Verdicts(np.empty(0, np.float32), np.empty(0, bool), [])
    made = network.run(batch.numbers, batch.words)
    alarm = made["score"] > network.found.threshold
    return Verdicts(made["score"], alarm, _families(network, made, alarm))


def score(network: Network, lines: Sequence[bytes]) -> Scored:
    """Has a network score the flows among lines."""
    import numpy as np

    batch = scoring_flows.read(lines, network.columns)
    said = score_batch(network, batch)
    answers: list[str] = [""] * len(lines)
    for place, fault in batch.faults.items():
        answers[place] = json.dumps({"line": place + 1, "error": fault})
    for place, answer in zip(batch.places, _answers(said), strict=True):
        answers[place] = answer
    raised = np.flatnonzero(said.alarm).tolist()
    families: dict[str, int] = {}
    for at in raised:
        families[said.names[at]] = families.get(said.names[at], 0) + 1
    latest = _alarms(batch, said, raised[-LATEST:])
    faults = [f"line {place + 1}: {fault}" for place, fault in batch.faults.items()]
    given = answers if len(lines) == batch.lines else [answer for answer in answers if answer]
    return Scored(given, len(batch.places), len(raised), families, latest, faults)


def _answers(said: Verdicts) -> list[str]:
    """As json.dumps would write them, in a tenth of the time."""
    ends: dict[tuple[bool, str], str] = {}
    told = list(zip(said.alarm.tolist(), said.names, strict=True))
    for alarm, family in set(told):
        known = {} if family == _UNKNOWN else {"family": family}
        ends[alarm, family] = "," + json.dumps({"alarm": alarm, **known}, separators=(",", ":"))[1:]
    return [
        f'{{"score":{f"{score:.6g}" if score == score else "null"}{ends[one]}'  # or it is no number
        for score, one in zip(said.scores.tolist(), told, strict=True)
    ]


def _families(network: Network, made: dict[str, np.ndarray], alarm: np.ndarray) -> list[str]:
    """Of an alarm the likeliest attack; what raises none is normal."""
    import numpy as np

    if not network.families:
        return [_UNKNOWN] * len(alarm)
    normal = network.families.index(NORMAL)
    attacks = np.array([name for name in network.families if name != NORMAL] or [NORMAL], object)
    likeliest = np.delete(made["probabilities"], normal, axis=1)
    found = attacks[likeliest.argmax(axis=1)] if likeliest.shape[1] else np.full(len(alarm), NORMAL, object)
    return np.where(alarm, found, NORMAL).tolist()


def _alarms(batch: scoring_flows.Batch, said: Verdicts, places: list[int]) -> list[dict[str, Any]]:
    """What is shown of some flows."""
    import numpy as np

    shown = []
    for at, telling in zip(places, batch.telling.take(np.array(places, np.int64)).to_pylist(), strict=True):
        short = {name: value[:100] if isinstance(value, str) else value for name, value in telling.items()}
        shown.append({"score": float(f"{said.scores[at]:.6g}"), "family": said.names[at], **short})
    return shown


# Counting ------------------------------------------------------------------------------------------------------------


@dataclass
class Second:
    """What came in one second."""

    at: int  # since 1970
    flows: int = 0
    alarms: int = 0
    faults: int = 0
    families: dict[str, int] = field(default_factory=dict)


class Counts:
    """What was scored since the start; whatever comes, it takes no more memory than at first."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        """clock: seconds since 1970."""
        self._clock, self._lock = clock, threading.Lock()
        self._seconds: deque[Second] = deque(maxlen=SECONDS)
        self._alarms: deque[dict[str, Any]] = deque(maxlen=LATEST)
        self._faults: deque[dict[str, Any]] = deque(maxlen=LATEST)
        self.since = clock()
        self.flows = self.alarms = self.faults = self.batches = 0
        self.seconds = 0.0  # that batches took
        self._families: dict[str, int] = {}
        self._buckets = [0] * len(BUCKETS)

    def add(self, scored: Scored, seconds: float, source: str) -> None:
        """What came of a batch of a source, which took so long."""
        with self._lock:
            now = self._now()
            for into in (now, self):
                into.flows += scored.flows
                into.alarms += scored.alarms
                into.faults += len(scored.faults)
            self.batches += 1
            self.seconds += seconds
            for place, bound in enumerate(BUCKETS):
                self._buckets[place] += seconds <= bound
            for family, number in scored.families.items():
                for counts in (now.families, self._families):
                    name = family if family in counts or len(counts) < MOST_FAMILIES else _UNKNOWN
                    counts[name] = counts.get(name, 0) + number
            at = _iso(self._clock())
            self._alarms.extend({"at": at, **alarm} for alarm in scored.latest)
            self._faults.extend({"at": at, "source": source, "fault": fault} for fault in scored.faults[-LATEST:])

    def fault(self, source: str, fault: str) -> None:
        """Something of a source that could not be read at all."""
        self.add(Scored([], 0, 0, {}, [], [fault]), 0.0, source)

    def _now(self) -> Second:
        at = int(self._clock())
        if not self._seconds or self._seconds[-1].at < at:
            self._seconds.append(Second(at))
        return self._seconds[-1]

    def state(self) -> dict[str, Any]:
        """All of it, as the page reads it: each second that something came in, newest last."""
        with self._lock:
            now = int(self._clock())
            recent = [second for second in self._seconds if second.at > now - SECONDS]
            rate = [second for second in recent if now - 10 <= second.at < now]
            families: dict[str, int] = {}
            for second in recent:
                for family, number in second.families.items():
                    families[family] = families.get(family, 0) + number
            return {
                **{"now": now, "since": _iso(self.since), "seconds": SECONDS},
                **{"flows": self.flows, "alarms": self.alarms, "faults": self.faults, "batches": self.batches},
                "rate": sum(second.flows for second in rate) / 10,
                "times": [[second.at, second.flows, second.alarms, second.faults] for second in recent],
                "families": dict(sorted(families.items(), key=lambda pair: (-pair[1], pair[0]))),
                "latest": list(self._alarms)[::-1],
                "unread": list(self._faults)[::-1],
            }

    def metrics(self) -> list[str]:
        """Lines of Prometheus' text format."""
        with self._lock:
            totals = {"flows": self.flows, "alarms": self.alarms, "faults": self.faults}
            families, buckets = dict(self._families), list(self._buckets)
            batches, seconds = self.batches, self.seconds
        about = {"flows": "Flows that were scored.", "alarms": "Flows that raised an alarm."}
        about["faults"] = "Lines that could not be read."
        lines = []
        for name, number in totals.items():
            lines += _metric(f"oneoff_scoring_{name}_total", "counter", about[name], number)
        lines += _metric("oneoff_scoring_family_alarms_total", "counter", "Alarms by family of attack.")
        lines += [f"oneoff_scoring_family_alarms_total{label(family=name)} {n}" for name, n in sorted(families.items())]
        name = "oneoff_scoring_batch_seconds"
        lines += _metric(name, "histogram", "Time that a batch took, from its bytes to its answers.")
        lines += [f'{name}_bucket{{le="{bound:g}"}} {number}' for bound, number in zip(BUCKETS, buckets, strict=True)]
        return [*lines, f'{name}_bucket{{le="+Inf"}} {batches}', f"{name}_sum {seconds:.6f}", f"{name}_count {batches}"]


def _metric(name: str, kind: str, about: str, value: int | None = None) -> list[str]:
    head = [f"# HELP {name} {about}", f"# TYPE {name} {kind}"]
    return head if value is None else [*head, f"{name} {value}"]


def label(**labels: str) -> str:
    """Labels as Prometheus writes them."""
    escaped = {
        name: value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") for name, value in labels.items()
    }
    return "{" + ",".join(f'{name}="{value}"' for name, value in escaped.items()) + "}"


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="seconds").replace("+00:00", "Z")
