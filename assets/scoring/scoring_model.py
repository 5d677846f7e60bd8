"""The network that scores: where it is looked for, what it must pass before it is let in, and how it runs.

This is the one door by which a network comes in. It is a row of table `networks` (docs/adr/0016): an ONNX file with
what goes in, what has to come out, and the score above which a flow is an alarm. Nothing else is opened: a pickle is
code.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
import os
import resource
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import oneoff
from nids_layouts import CATEGORIES, NORMAL, NUMBERS

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

LARGEST = 64 << 20  # bytes of an ONNX file
LOOSEST = 1e-2  # most that a network may say it is off its golden outputs
CHECK_SECONDS, CHECK_BYTES = 60, 4 << 30  # that looking at a new network may take
COLUMNS = ("model", "onnx", "sha256", "input_schema", "golden", "threshold", "licence")
_FILE, _ABOUT = "model.onnx", "model.json"


class RefusedError(Exception):
    """A network that is not let in; the text says why."""


# The network ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Candidate:
    """A network as it is found, before anybody has looked at it."""

    model: str
    run: str | None  # that trained it; None when nobody says
    file: bytes
    sha256: str
    schema: Any
    golden: Any
    threshold: float
    licence: str

    @staticmethod
    def of_row(row: Mapping[str, Any], run: str | None, file: bytes | None = None) -> Candidate:
        """Raises RefusedError for what is no row of `networks`."""
        try:
            found = base64.b64decode(row["onnx"], validate=True) if file is None else file
            schema, golden = (
                json.loads(row[name]) if isinstance(row[name], str) else row[name]
                for name in ("input_schema", "golden")
            )
            text = {name: str(row[name]) for name in ("model", "sha256", "licence")}
            return Candidate(
                **{"model": text["model"], "run": run, "file": found, "sha256": text["sha256"]},
                **{
                    "schema": schema,
                    "golden": golden,
                    "threshold": float(row["threshold"]),
                    "licence": text["licence"],
                },
            )
        except (KeyError, TypeError, ValueError) as problem:
            raise RefusedError(f"expected a row of table networks: {_short(problem)}") from None

    @property
    def called(self) -> str:
        """As messages have it."""
        return f"{self.model} {self.sha256[:12]}" + (f" of run {self.run}" if self.run else "")


class Network:
    """A network that can score. Raises RefusedError for a candidate that is not one."""

    def __init__(self, found: Candidate) -> None:
        """Opens the file, with one thread, and holds it against what is said of it."""
        import onnxruntime

        _check_said(found)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4
        try:
            self._session = onnxruntime.InferenceSession(found.file, options, providers=["CPUExecutionProvider"])
        except Exception as problem:  # onnxruntime has a class for each kind, and no common one
            raise RefusedError(f"expected an ONNX file: {_short(problem)}") from None
        self.found = found
        self.columns: tuple[str, ...] = tuple(_input(found, "numbers"))
        self.since = datetime.now(timezone.utc)
        outputs = {output["name"]: output for output in found.schema["outputs"]}
        self.families: tuple[str, ...] = tuple(outputs.get("probabilities", {}).get("columns", ()))
        self._names = [output.name for output in self._session.get_outputs()]
        _check_session(self._session, set(outputs))
        self._check_golden()

    def run(self, numbers: np.ndarray, words: np.ndarray) -> dict[str, np.ndarray]:
        """What the network makes of flows, by the names of its outputs."""
        return dict(
            zip(self._names, self._session.run(self._names, {"numbers": numbers, "categories": words}), strict=True)
        )

    def _check_golden(self) -> None:
        import numpy as np

        golden = self.found.golden
        try:
            tolerance = float(golden["tolerance"])
            given = golden["inputs"]
            numbers = [[math.nan if value is None else float(value) for value in flow] for flow in given["numbers"]]
            array = np.array(numbers, np.float32).reshape(len(numbers), len(self.columns))
            words = np.array(given["categories"], object).reshape(len(numbers), len(CATEGORIES))
            wanted = {name: np.array(values, float) for name, values in golden["outputs"].items()}
        except (KeyError, TypeError, ValueError, AttributeError) as problem:
            raise RefusedError(f"expected golden inputs and outputs: {_short(problem)}") from None
        if not (0 <= tolerance <= LOOSEST and len(numbers) and "score" in wanted):
            raise RefusedError(f"expected golden flows with scores, and a tolerance of at most {LOOSEST:g}")
        try:
            found = self.run(array, words)
        except Exception as problem:
            raise RefusedError(f"it can't run its golden flows: {_short(problem)}") from None
        for name, values in wanted.items():
            if name not in found or found[name].shape != values.shape:
                raise RefusedError(f"expected output {name} of shape {values.shape} for its golden flows")
            off = np.abs(found[name] - values) / np.maximum(1, np.abs(values))
            if not (off <= tolerance).all():
                raise RefusedError(f"{name} of its golden flows is {off.max():.2g} off, more than {tolerance:g}")


def _short(problem: object) -> str:
    text = " ".join(str(problem).split())
    return text if len(text) <= 200 else f"{text[:200]}..."


def _input(found: Candidate, name: str) -> Sequence[str]:
    try:
        return next(each["columns"] for each in found.schema["inputs"] if each["name"] == name)
    except (StopIteration, KeyError, TypeError):
        raise RefusedError(f"expected an input {name} with its columns in the schema") from None


def _check_said(found: Candidate) -> None:
    """Raises RefusedError unless what is said of a file can be what we feed."""
    if len(found.file) > LARGEST:
        raise RefusedError(f"expected a file of at most {LARGEST >> 20} MB, and it has {len(found.file) >> 20}")
    if hashlib.sha256(found.file).hexdigest() != found.sha256:
        raise RefusedError("its file has another SHA-256 than is said of it: it is damaged, or not there whole yet")
    if not math.isfinite(found.threshold):
        raise RefusedError(f"expected a threshold, and it is {found.threshold}")
    numbers, words = _input(found, "numbers"), _input(found, "categories")
    if not all(isinstance(name, str) for name in numbers) or len(set(numbers)) < len(numbers):
        raise RefusedError("expected names of columns, each once")
    strange = next((name for name in numbers if name not in NUMBERS), None)
    if strange or list(words) != list(CATEGORIES):
        raise RefusedError(f"it wants columns that flows don't have: {strange or ', '.join(map(str, words))}")
    if {each.get("name") for each in found.schema["inputs"]} != {"numbers", "categories"}:
        raise RefusedError("expected numbers and categories as its only inputs")
    outputs = found.schema.get("outputs") or []
    if not all(isinstance(each, dict) for each in outputs) or "score" not in [each.get("name") for each in outputs]:
        raise RefusedError("expected an output score in the schema")
    families = next((each.get("columns") for each in outputs if each.get("name") == "probabilities"), [NORMAL])
    if not isinstance(families, list) or NORMAL not in families or not all(isinstance(name, str) for name in families):
        raise RefusedError(f"expected families, {NORMAL} among them, as columns of the probabilities")


def _check_session(session: Any, outputs: set[str]) -> None:  # noqa: ANN401 - onnxruntime has no types
    takes = {each.name: each.type for each in session.get_inputs()}
    if takes != {"numbers": "tensor(float)", "categories": "tensor(string)"}:
        raise RefusedError(f"its file takes {', '.join(f'{name}: {kind}' for name, kind in takes.items())}")
    if lacking := outputs - {each.name for each in session.get_outputs()}:
        raise RefusedError(f"its file has no output {min(lacking)}")


# Where it is ---------------------------------------------------------------------------------------------------------

Stamp = Sequence[tuple[str, int, Any]]


class Place:
    """Where networks are left: a folder with model.onnx and model.json, a Parquet file, a run's folder or a table.

    Of a table of a lake it is the newest run that succeeded. Who leaves a network in a folder writes the file first:
    model.json has its SHA-256, so that one which is not there whole is not taken.
    """

    def __init__(self, address: str, name: str) -> None:
        """name: which network of those in a table."""
        self.address, self.name = address.rstrip("/"), name
        self._run: str | None = None  # that was read last

    def look(self) -> tuple[Stamp, Callable[[], Candidate | None]]:
        """What changes when another network is there, and how that is read: None where there is none, or no other."""
        address, name = self.address, self.address.rpartition("/")[2]
        if name.endswith(".parquet"):
            stamp = _stamp(address)
            return stamp, lambda: self._row(address, None) if stamp else None
        if about := _stamp(f"{address}/{_ABOUT}"):
            return [*about, *_stamp(f"{address}/{_FILE}")], lambda: self._folder(address)
        if name.startswith("run="):
            stamp = _stamp(address)
            return stamp, lambda: self._row(address, name[4:]) if stamp else None
        lake, _, table = address.rpartition("/")
        records = _stamp(f"{lake}/_runs")
        return records, lambda: self._newest(lake, records, table)

    def _newest(self, lake: str, records: Stamp, table: str) -> Candidate | None:
        run = _newest(lake, records, table)
        if run is None or run == self._run:
            return None
        found = self._row(f"{self.address}/run={run}", run)
        self._run = run  # what a run left never changes
        return found

    def _folder(self, folder: str) -> Candidate:
        about = json.loads(_content(f"{folder}/{_ABOUT}", LARGEST))
        if not isinstance(about, dict):
            raise RefusedError(f"expected an object in {_ABOUT}")
        return Candidate.of_row(about, about.get("run"), _content(f"{folder}/{_FILE}", LARGEST))

    def _row(self, address: str, run: str | None) -> Candidate:
        found = _read_file(address) if address.endswith(".parquet") else oneoff.read_table(address, COLUMNS)
        rows = [row for row in (found.to_pylist() if found is not None else []) if row["model"] == self.name]
        if len(rows) != 1:
            raise RefusedError(f"expected one row with model {self.name} in {address}, found {len(rows)}")
        return Candidate.of_row(rows[0], run)


def _stamp(address: str) -> Stamp:
    """Names, sizes and times of a file, or of those in a folder; nothing where there is neither."""
    from pyarrow.fs import FileSelector, FileType

    filesystem, path = oneoff._filesystem(address)
    info = filesystem.get_file_info(path)
    if info.type == FileType.NotFound:
        return []
    infos = [info] if info.type == FileType.File else filesystem.get_file_info(FileSelector(path))
    files = [each for each in infos if each.type == FileType.File and not each.base_name.startswith(".")]
    return sorted((each.path, each.size, each.mtime_ns) for each in files)


def _read_file(address: str) -> pa.Table:
    import pyarrow.parquet as pq

    with oneoff.open_file(address) as source:
        return pq.ParquetFile(source).read(list(COLUMNS))


def _content(address: str, most: int) -> bytes:
    with oneoff.open_file(address) as source:
        if source.size() > most:
            raise RefusedError(f"expected at most {most >> 20} MB in {address}, found {source.size() >> 20}")
        return source.read()


def _newest(lake: str, records: Stamp, table: str) -> str | None:
    """The run that succeeded last, of those that left such a table."""
    runs = []
    for path, _, _ in records:
        if path.endswith(".json"):
            record = json.loads(_content(f"{lake}/_runs/{path.rpartition('/')[2]}", LARGEST))
            if record.get("state") == "succeeded" and table in record.get("tables", {}) and not record.get("removed"):
                runs.append((str(record.get("ended")), str(record.get("run"))))
    return max(runs)[1] if runs else None


# The door ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Refusal:
    """What was not let in last, and why."""

    called: str
    why: str
    at: datetime


class Door:
    """The network that scores now. Another one that is left at the place takes over once it was looked at."""

    def __init__(self, place: Place, say: Callable[[str], None]) -> None:
        """say: is told what becomes of each network that is found."""
        self._place, self._say = place, say
        self.address = place.address
        self._stamp: Stamp | None = None
        self.network: Network | None = None
        self.ready = threading.Event()  # that there is one
        self.refused: Refusal | None = None
        self.swaps = 0

    def look(self) -> None:
        """Looks once. Whatever is found there, the network that there is goes on."""
        called = self._place.address
        try:
            stamp, read = self._place.look()
            if stamp == self._stamp:
                return
            self._stamp = stamp
            found = read()
            if found is None:
                return
            called = found.called
            if self.network is None or self.network.found != found:
                check_apart(found)
                self._let_in(Network(found))
            self.refused = None
        except RefusedError as problem:
            self._refuse(called, str(problem))
        except Exception as problem:  # a file that is half there, a service that is away: the next look may find it
            self._stamp = None
            self._refuse(called, f"it can't be read just now: {_short(problem)}")

    def _let_in(self, fresh: Network) -> None:
        self.network, before = fresh, self.network  # at once: who scores has taken the one or the other
        self.swaps += before is not None
        self.ready.set()
        self._say(f"model: {fresh.found.called} scores now{f', {before.found.called} no more' if before else ''}")

    def _refuse(self, called: str, why: str) -> None:
        if self.refused and (self.refused.called, self.refused.why) == (called, why):
            return
        self.refused = Refusal(called, why, datetime.now(timezone.utc))
        kept = f"; {self.network.found.called} goes on" if self.network else ""
        self._say(f"model: {called} is not let in: {why}{kept}")

    def watch(self, seconds: float, stop: threading.Event) -> None:
        """Looks again and again until it is to stop."""
        while not stop.is_set():
            self.look()
            stop.wait(seconds)


def check_apart(found: Candidate) -> None:
    """Looks at a candidate in a process of its own, which may crash, hang or take all memory. Raises RefusedError."""
    plain = {**vars(found), "file": base64.b64encode(found.file).decode()}
    options: dict[str, Any] = {"capture_output": True, "text": True, "timeout": CHECK_SECONDS, "check": False}
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    try:
        told = subprocess.run(
            [sys.executable, str(Path(__file__).resolve())], input=json.dumps(plain), env=env, **options
        )
    except subprocess.TimeoutExpired:
        raise RefusedError(f"looking at it took more than {CHECK_SECONDS} seconds") from None
    if told.returncode == 2:
        raise RefusedError(told.stderr.strip())
    if told.returncode != 0:
        said = (told.stderr.strip().splitlines() or ["nothing was said"])[-1]
        raise RefusedError(f"looking at it ended with {told.returncode}: {_short(said)}")


def main() -> None:
    """Looks at the candidate that stands in the input."""
    resource.setrlimit(resource.RLIMIT_DATA, (CHECK_BYTES, CHECK_BYTES))
    plain = json.load(sys.stdin)
    try:
        Network(Candidate(**{**plain, "file": base64.b64decode(plain["file"])}))
    except RefusedError as problem:
        sys.stderr.write(f"{problem}\n")
        sys.exit(2)


if __name__ == "__main__":
    main()
