"""Ends the run when somebody asks for that, by `oneoff cancel`."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable

import run_record


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
