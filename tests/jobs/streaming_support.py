"""For tests of job streaming-regression: a stream that is made up, and an engine with a lake and a state."""

from __future__ import annotations

import hashlib
import json
import random
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "assets" / "jobs" / "streaming-regression"
sys.path += [str(FOLDER), str(FOLDER.parent)]

import numpy as np  # noqa: E402 - found through the lines above
import oneoff  # noqa: E402
import streaming_models  # noqa: E402
import streaming_sinks  # noqa: E402
import streaming_state  # noqa: E402
import streaming_tables  # noqa: E402
from streaming_engine import Engine, Rules  # noqa: E402
from streaming_records import Delivered  # noqa: E402

BEGIN = 1_700_000_000_000
TRUTH = (2.0, -1.0, 0.5)
TOPICS = ["train", "test"]


def record(seed: int, **more: object) -> bytes:
    """The record of a number, of two features."""
    dice = random.Random(seed)
    x = [dice.uniform(-1, 1), dice.uniform(-1, 1)]
    truth = TRUTH[0] * x[0] + TRUTH[1] * x[1] + TRUTH[2]
    return json.dumps({"x": x, "y": truth + dice.gauss(0, 0.1), "truth": truth, **more}).encode()


def stream(rows: int, *, partitions: int = 2) -> list[Delivered]:
    """Records of both topics, a fifth of them of topic test; some can't be learnt from."""
    ends: dict[tuple[str, int], int] = {}
    found = []
    for number in range(rows):
        topic, partition = ("test" if number % 5 == 4 else "train"), number // 5 % partitions
        offset = ends.get((topic, partition), 0)
        ends[topic, partition] = offset + 1
        value = b"poison" if number % 31 == 30 else record(number, id=str(number - number % 17 // 16))
        found.append(Delivered(topic, partition, offset, BEGIN + 10 * number, value))
    return found


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = BEGIN / 1000

    def __call__(self) -> float:
        return self.now


def engine(
    folder: Path,
    *,
    run: str = "r1",
    every: float = 10,
    model: streaming_models.Model | None = None,
    clock: Callable[[], float] | None = None,
    late: float = 600,
    more: Sequence[streaming_sinks.Sink] = (),
) -> Engine:
    """As learn.py makes one, with its state in `folder/state` and its lake in `folder/lake`."""
    model, clock, state = model or streaming_models.Rls(2), clock or Clock(), folder / "state"
    state.mkdir(parents=True, exist_ok=True)
    identity = {"model": model.name, "features": 2, "topics": TOPICS}
    found = streaming_state.load(state, identity)
    found.begin(run)
    place = streaming_sinks.LakePlace(str(folder / "lake"), run, state / "log", every, 2, model.name)
    lake = streaming_sinks.Lake(place, found, clock)
    return Engine(state, Rules("train", "test", 2, late, 1000), model, found, [lake, *more], clock)


def table(folder: Path, name: str, run: str = "r1", features: int = 2) -> list[dict[str, Any]]:
    """Rows that the lake has of a table."""
    found = oneoff.read_table(
        str(folder / "lake" / name / f"run={run}"), list(streaming_tables.columns(name, features))
    )
    return [] if found is None else found.to_pylist()


def files(folder: Path) -> dict[str, str]:
    """Digests of the lake's part files by their names."""
    lake = folder / "lake"
    parts = sorted(path for path in lake.rglob("*.parquet") if not path.name.startswith("."))
    return {str(path.relative_to(lake)): hashlib.sha256(path.read_bytes()).hexdigest() for path in parts}


def best_weights(rows: Sequence[dict[str, Any]]) -> np.ndarray:
    """By the closed form, of what recursive least squares begins with and the rows of topic train."""
    learnt = [row for row in rows if row["topic"] == "train"]
    x = np.array([[row["x1"], row["x2"], 1.0] for row in learnt])
    y = np.array([row["y"] for row in learnt])
    return np.linalg.solve(x.T @ x + streaming_models.RIDGE * np.eye(3), x.T @ y)


def check_whole(folder: Path, records: Sequence[Delivered], runs: Sequence[str] = ("r1",)) -> None:
    """Each record is there once, predicted or set aside, and the model is the one of all of them."""
    places = [record[:3] for record in records]
    found = [row for run in runs for name in ("predictions", "rejected") for row in table(folder, name, run)]
    ids = [(row["topic"], row["kafka_partition"], row["kafka_offset"]) for row in found]
    assert len(ids) == len(set(ids)), "a record came twice"
    assert set(ids) == set(places), "a record is missing"
    kept = json.loads((folder / "state" / "state.json").read_bytes())
    rows = [row for run in runs for row in table(folder, "predictions", run)]
    np.testing.assert_allclose(kept["model"]["weights"], best_weights(rows), rtol=0, atol=1e-9)
    assert kept["records"] == len(records)
    assert kept["learnt"] == sum(row["topic"] == "train" for row in rows)
    for kind in TOPICS:
        of_kind = [row["squared_error"] for row in rows if row["topic"] == kind]
        assert kept["errors"][kind]["count"] == len(of_kind)
        np.testing.assert_allclose(kept["errors"][kind]["squared"], sum(of_kind), rtol=1e-9)
