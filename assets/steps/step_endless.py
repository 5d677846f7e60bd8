"""What is different with a step that goes on until somebody asks for its end. What it does itself: core/step.ts."""

from __future__ import annotations

import time
from collections.abc import Callable

from step_runner import ProgramError

ENDS_SECONDS = 60  # that it has to end itself once somebody has asked for that
_WRONG = 2  # exit code of a program that would end so again: its arguments are wrong
_STEADY_SECONDS = 30  # after which one that ends has run
_MOST = 5  # times in a row that it may end sooner


def keep_running(execute: Callable[[], None], goes_on: Callable[[], bool], say: Callable[[str], None]) -> None:
    """Runs a program again whenever it dies, until it ends with 0.

    goes_on: whether it may be started again. Raises ProgramError of one that ends too soon too often, and whatever else
    `execute` raises.
    """
    soon = 0
    while True:
        began = time.monotonic()
        try:
            execute()
        except ProgramError as problem:
            soon = 0 if time.monotonic() - began > _STEADY_SECONDS else soon + 1
            if problem.code == _WRONG or soon >= _MOST or not goes_on():
                raise
            say(f"{problem}: it is started again")
            time.sleep(2**soon)
        else:
            return
