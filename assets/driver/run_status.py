"""How a run is doing, as the lake tells it while it runs."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any

import oneoff
import run_record
from step_problem import one_line
from step_runner import progress_of

SPARE = 16 << 10  # bytes by which status and record may grow: by the states of steps, digests and an error


class Status:
    """`_clusters/<run>/status.json`: the run as it is now, put when it changes and for progress once a second."""

    def __init__(self, address: str, content: dict[str, Any]) -> None:
        """content: a RunStatus of core/run.ts."""
        self.content = content
        self._address = address
        self._folder = None if "://" in address else Path(address).parent
        self._was_put = False
        self._changing, self._putting = Lock(), Lock()
        self._dirty = False
        self._closing = Event()
        self._problem = ""
        self._thread = Thread(target=self._keep, daemon=True)

    def start(self) -> None:
        """Puts it for the first time, with room for the last. Raises OSError where there is none."""
        self._thread.start()
        self.change()
        oneoff.reserve(self._address, SPARE)

    def change(self, **fields: object) -> None:
        """Says so at once. None takes a field away."""
        self._set(self.content, fields)
        self._put()

    def change_step(self, index: int, **fields: object) -> None:
        """The same of a step."""
        self._set(self.content["steps"][index], fields)
        self._put()

    def note_progress(self, index: int, line: str) -> None:
        """Says within a second how far a step is, if that is what a line that it printed tells."""
        if found := progress_of(line):
            self._set(self.content["steps"][index], {"progress": dict(zip(("what", "done", "total"), found))})  # noqa: B905
            self._dirty = True

    def close(self) -> None:
        """Puts the last of it."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join()

    def _set(self, of: dict[str, Any], fields: Mapping[str, object]) -> None:
        with self._changing:
            for name, value in fields.items():
                of.pop(name, None) if value is None else of.update({name: value})

    def _keep(self) -> None:
        while not self._closing.wait(1):
            if self._dirty:
                self._put()
        if self._dirty:
            self._put()

    def _put(self) -> None:
        with self._putting:
            self._dirty = False
            if self._was_put and self._folder and not self._folder.is_dir():
                return  # whoever took it away wants nothing to be there
            with self._changing:
                text = json.dumps(run_record.as_written(self.content), indent=2) + "\n"
            problem = ""
            try:
                oneoff.put(self._address, text.encode(), last=self.content["state"] != "running")
                self._was_put = True
            except OSError as error:  # it may work the next time, and the run goes on in any case
                self._dirty = True
                problem = f"run.py: {self._address} could not be written: {one_line(error)}"
            if problem and problem != self._problem:
                with contextlib.suppress(OSError):  # that disk may be full too
                    print(problem, file=sys.stderr, flush=True)
            self._problem = problem


def iso(time: datetime) -> str:
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def now() -> str:
    return iso(datetime.now(timezone.utc))
