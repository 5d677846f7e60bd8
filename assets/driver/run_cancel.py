"""Ends the run when somebody asks for that, by `oneoff cancel`."""

from __future__ import annotations

import contextlib
import json
import signal
import threading
from collections.abc import Callable, Iterator

import oneoff
import run_record
from run_status import now
from step_runner import TerminatedError, raise_on_sigterm


class CancelWatch(threading.Thread):
    """Looks for the request while the run goes on, and has SIGTERM come once it is there.

    What follows is the same as for any other end: `run_record` says what it was.
    """

    def __init__(self, lake: str, run: str, patience: Callable[[], float]) -> None:
        """patience: seconds that what runs now has to end itself."""
        super().__init__(daemon=True)
        self._lake, self._run, self._patience = lake, run, patience
        # A look at a bucket is a request that is billed.
        self._every = 5 if "://" in lake else 0.5
        self._over = threading.Event()

    def run(self) -> None:
        while not self._over.wait(self._every):
            if run_record.cancelled(self._lake, self._run) and not self._over.wait(self._patience()):
                # To the thread that may be waiting for a step: another one would not interrupt it.
                signal.pthread_kill(threading.main_thread().ident, signal.SIGTERM)
                return

    def end(self) -> None:
        """Looks no more."""
        self._over.set()


@contextlib.contextmanager
def asking_on_sigterm(lake: str, run: str, meaning: str) -> Iterator[None]:
    """Has SIGTERM ask for the run's end, as `oneoff cancel` does, so that what runs now can end itself.

    Whoever sends it again doesn't wait: then, and afterwards, it raises TerminatedError with that text.
    """

    def ask(*_: object) -> None:
        raise_on_sigterm(meaning)
        request = {"run": run, "at": now()}
        try:
            if run_record.cancelled(lake, run) is None:
                oneoff.put(f"{lake}/_cancels/{run}.json", json.dumps(request).encode())
        except Exception as problem:
            raise TerminatedError(meaning) from problem

    signal.signal(signal.SIGTERM, ask)
    try:
        yield
    finally:
        raise_on_sigterm(meaning)
