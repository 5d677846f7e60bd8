"""How far the stream is and what has been learnt by then: one file, written last of all that a batch leaves."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

import streaming_files

REMEMBERED = 1_000  # names of records that are known for duplicates, the newest of all partitions
_VERSION = 1


class StateError(ValueError):
    """Why a state can't be gone on from, in one line."""


@dataclasses.dataclass
class Errors:
    """Squared errors so far of one set, and what they are to be held against."""

    count: int = 0
    squared: float = 0.0
    baseline: float = 0.0  # of whoever predicts the mean
    recent: float = 0.0  # mean squared error of the last ones; see `add`
    recent_baseline: float = 0.0
    known: int = 0  # of how many the truth is known
    noise: float = 0.0  # squared errors of whoever knows the truth

    def add(self, squared: float, baseline: float, noise: float | None, window: int) -> None:
        """recent: an example that lies `window` back counts a third of the newest."""
        self.count += 1
        self.squared += squared
        self.baseline += baseline
        weight = 1 / min(self.count, window)
        self.recent += weight * (squared - self.recent)
        self.recent_baseline += weight * (baseline - self.recent_baseline)
        if noise is not None:
            self.known += 1
            self.noise += noise

    def mean(self, sum_of: float) -> float | None:
        return sum_of / self.count if self.count else None


@dataclasses.dataclass
class State:
    """What is known after a batch."""

    identity: dict[str, Any]  # of what is learnt from what: a state of another is refused
    batch: int = 0
    offsets: dict[str, dict[str, int]] = dataclasses.field(default_factory=dict)  # the last one, by topic and partition
    newest: dict[str, dict[str, int]] = dataclasses.field(default_factory=dict)  # the newest event time, the same way
    records: int = 0  # of all, also those that were set aside
    run: str = ""  # whose state it is now
    before: int = 0  # records of the runs before it
    rejected: dict[str, int] = dataclasses.field(default_factory=dict)  # how many, by reason
    repeated: int = 0  # that came again though they were done
    learnt: int = 0  # examples, which is the model's version
    modelled: int = -1  # the minute, since 1970, of the last model in the lake
    mean: float = 0.0  # of all y that were learnt from
    errors: dict[str, Errors] = dataclasses.field(default_factory=lambda: {"train": Errors(), "test": Errors()})
    names: dict[str, None] = dataclasses.field(default_factory=dict)  # digests of the newest records' names, in order
    model: Any = None

    def is_done(self, topic: str, partition: int, offset: int) -> bool:
        """Whether a record is among those that the state is of."""
        return offset <= self.offsets.get(topic, {}).get(str(partition), -1)

    def begin(self, run: str) -> None:
        """Has a run go on with it, which may be the same."""
        if run != self.run:
            self.run, self.before = run, self.records

    def remember(self, name: str) -> bool:
        """Whether a record's name is new among the newest."""
        digest = hashlib.blake2b(name.encode(errors="surrogatepass"), digest_size=8).hexdigest()
        if digest in self.names:
            return False
        self.names[digest] = None
        if len(self.names) > REMEMBERED:
            del self.names[next(iter(self.names))]
        return True


def save(state: State, folder: Path) -> None:
    """Has the folder's state be this one or that before."""
    errors = {name: vars(each) for name, each in state.errors.items()}
    content = {"version": _VERSION, **vars(state), "errors": errors, "names": "".join(state.names)}
    streaming_files.replace(folder / "state.json", json.dumps(content, allow_nan=False).encode())


def load(folder: Path, identity: dict[str, Any]) -> State:
    """The folder's state, or one to begin with. Raises StateError where it is another's."""
    path = folder / "state.json"
    try:
        found = json.loads(path.read_bytes())
    except FileNotFoundError:
        return State(identity)
    except ValueError as problem:
        raise StateError(f"{path} is no state ({problem}): give another folder") from None
    if found.pop("version", None) != _VERSION:
        raise StateError(f"{path} is of another version of this job: give another folder")
    for what, value in identity.items():
        if (before := found["identity"].get(what)) != value:
            told = f"{what} {_said(before)}, and {_said(value)} is asked for"
            raise StateError(f"{path} is of {told}: ask for the same, or give another folder")
    names = found["names"]
    found["names"] = dict.fromkeys(names[at : at + 16] for at in range(0, len(names), 16))
    found["errors"] = {name: Errors(**errors) for name, errors in found["errors"].items()}
    return State(**found)


def _said(value: object) -> str:
    return " and ".join(map(str, value)) if isinstance(value, list) else str(value)
