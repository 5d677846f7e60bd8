"""What runs a step has in common wherever it runs: programs with a time limit, and SIGTERM."""

from __future__ import annotations

import contextlib
import ctypes
import os
import pkgutil
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from threading import Event, Thread
from typing import NamedTuple, NoReturn

from step_log import Log

KILL_AFTER = 30  # seconds that a program has to end itself when its time is up
TERMINATED_AFTER = 10  # the same after SIGTERM, as nobody knows how long its sender waits
EXIT_TERMINATED = 128 + signal.SIGTERM

_GUARD = f"exec 3<&0 </dev/null\n{pkgutil.get_data(__name__, 'guard.sh').decode()}"
_ORPHANS_SECONDS = 3  # that what a program leaves behind may take to end
_LOOK_SECONDS = 0.5  # from one look at the clock to the next
_PR_SET_CHILD_SUBREAPER = 36  # https://man7.org/linux/man-pages/man2/PR_SET_CHILD_SUBREAPER.2const.html
_PR_SET_PDEATHSIG = 1  # https://man7.org/linux/man-pages/man2/PR_SET_PDEATHSIG.2const.html
_PROGRESS = re.compile(r"\[oneoff\] (\S+) (\d+)/(\d+)\s*")  # as assets/jobs/oneoff.py prints it


class StepError(Exception):
    """Why a step failed, in one line."""


class ProgramError(StepError):
    """A program ended by itself, and not with 0."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


class TerminatedError(Exception):
    """SIGTERM came; the text says what that means."""


class Ended(NamedTuple):
    """How a program ended."""

    code: int
    timed_out: bool
    output: str  # or the end of it
    errors: str  # or the end of them


def run_program(
    command: Sequence[str],
    log: Log,
    seconds: float,
    *,
    env: Mapping[str, str] | None = None,
    folder: Path | None = None,
    on_line: Callable[[str], None] | None = None,
    on_sigterm: Callable[[TerminatedError], None] | None = None,
    terminated_after: float = TERMINATED_AFTER,
    kill_after: float = KILL_AFTER,
) -> Ended:
    """Runs a program with a time limit, and ends whatever it leaves behind. It ends when we do, kill -9 included.

    What it prints goes to `log`. on_line: is given each line, from several threads. on_sigterm: is called at once when
    SIGTERM comes, after which TerminatedError is raised.
    """
    _adopt_orphans()
    output, errors = Log(echo=False), Log(echo=False)
    process = subprocess.Popen(
        ["/bin/sh", "-c", _GUARD, "guard", *command],
        stdin=subprocess.PIPE,  # nobody writes there: it closes when we end
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=env,
        cwd=folder,
        start_new_session=True,  # a process group of its own
    )
    limit = _Limit(process, seconds, kill_after)
    streams = ((process.stdout, sys.stdout.buffer, output), (process.stderr, sys.stderr.buffer, errors))
    readers = [Thread(target=log.copy, args=(*stream, on_line), daemon=True) for stream in streams]
    try:
        for thread in (limit, *readers):
            thread.start()
        code = process.wait()
    except TerminatedError as reason:
        signal_group(process, signal.SIGTERM)
        if on_sigterm:
            on_sigterm(reason)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(terminated_after)
        raise
    finally:
        limit.ended.set()
        signal_group(process, signal.SIGKILL)
        _end_orphans()
        process.stdin.close()
        for reader, (stream, *_) in zip(readers, streams, strict=True):
            with contextlib.suppress(RuntimeError):  # SIGTERM came before it was started
                reader.join(5)
            if not reader.is_alive():
                stream.close()
    return Ended(code, limit.passed, output.text(), errors.text())


class _Limit(Thread):
    """Ends a process when its time is up: by SIGTERM, and by SIGKILL when that is not enough.

    It looks at the clock: a machine that slept has not stopped it.
    """

    def __init__(self, process: subprocess.Popen[bytes], seconds: float, kill_after: float) -> None:
        super().__init__(daemon=True)
        self.process = process
        self.kill_after = kill_after
        self.ends = time.time() + seconds
        self.passed = False
        self.ended = Event()  # of the process

    def run(self) -> None:
        while (left := self.ends - time.time()) > 0:
            if self.ended.wait(min(left, _LOOK_SECONDS)):
                return
        self.passed = True
        signal_group(self.process, signal.SIGTERM)
        if not self.ended.wait(self.kill_after):
            signal_group(self.process, signal.SIGKILL)


def signal_group(process: subprocess.Popen[bytes], number: int) -> None:
    """Signals a process and all that it started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def _adopt_orphans() -> None:
    """Has us be the parent of what programs leave behind in a group of its own, where the system can."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)


def _end_orphans() -> None:
    """Ends all that is a child of ours, and what those leave to us in turn; what can't be ended is left."""
    ends = time.monotonic() + _ORPHANS_SECONDS
    while (orphans := _children()) and time.monotonic() < ends:
        for pid in orphans:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
        time.sleep(0.01)


def _children() -> list[int]:
    """Ids of our children; none on systems other than Linux."""
    found = []
    for file in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has ended
            # The fields after the command, which may hold anything: state, parent and more (proc(5)).
            if int(file.read_text(errors="replace").rpartition(")")[2].split()[1]) == os.getpid():
                found.append(int(file.parent.name))
    return found


def raise_on_sigterm(meaning: str) -> None:
    """Has SIGTERM raise TerminatedError with that text. Once is enough: what follows must not be interrupted."""

    def terminate(*_: object) -> NoReturn:
        ignore_sigterm()
        raise TerminatedError(meaning)

    signal.signal(signal.SIGTERM, terminate)


def ignore_sigterm() -> None:
    """From here on SIGTERM interrupts nothing."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def end_with_parent() -> None:
    """Has SIGTERM come when whoever started this process ends: a JVM that is killed leaves its Python behind.

    It holds for what this process becomes by `exec` too.
    """
    parent = os.getppid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # it was quicker
        os.kill(os.getpid(), signal.SIGTERM)


def with_options(command: Sequence[str], *options: str) -> list[str]:
    """A `spark-submit` with options before its own: of a property that stands twice Spark takes the last."""
    return [command[0], *options, *command[1:]]


def states_of(names: Sequence[str], current: str, state: str) -> list[tuple[str, str]]:
    """Each step with its state while `current` is in `state`: those before it have succeeded, or it would not run."""
    position = names.index(current)
    states = ["succeeded"] * position + [state] + ["pending"] * (len(names) - position - 1)
    return list(zip(names, states, strict=True))


def progress_of(line: str) -> tuple[str, int, int] | None:
    """What a step says that it counts, how many are done and of how many; None for a line that says no such thing."""
    found = _PROGRESS.fullmatch(line)
    return (found[1], int(found[2]), int(found[3])) if found else None


def spoken(total: int) -> str:
    """Seconds as people read them: "1 h 30 min", "45 s". As core/duration.ts has them."""
    parts = ((total // 86_400, "d"), (total // 3600 % 24, "h"), (total // 60 % 60, "min"), (total % 60, "s"))
    first = next(at for at, (number, _) in enumerate(parts) if number)
    return " ".join(f"{number} {unit}" for number, unit in parts[first : first + 2] if number)
