"""Programs with a time limit, and what is said of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import steps_support

import step_runner  # isort: skip
from step_log import Log, open_log  # isort: skip


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    log = open_log(str(tmp_path / "x.log"), 60)
    yield log
    log.close()


def test_what_a_program_prints_is_logged_echoed_and_handed_on(log: Log, capfdbinary: pytest.CaptureFixture) -> None:
    log.write(b"before\n")
    lines: list[str] = []
    env = {**os.environ, "WORD": "one"}
    ended = step_runner.run_program(["sh", "-c", "echo $WORD; pwd >&2; exit 7"], log, 5, env=env, on_line=lines.append)
    assert (ended.code, ended.timed_out) == (7, False)
    assert sorted((ended.output + ended.errors).splitlines()) == sorted(["one", str(Path.cwd())])
    assert sorted(lines) == sorted(["one\n", f"{Path.cwd()}\n"])
    out, err = capfdbinary.readouterr()
    assert (out.decode(), err.decode()) == ("one\n", f"{Path.cwd()}\n")


def test_a_program_runs_where_it_is_told(log: Log, tmp_path: Path) -> None:
    assert step_runner.run_program(["pwd"], log, 5, folder=tmp_path).output == f"{tmp_path}\n"


def test_the_time_limit_ends_all_that_it_started(log: Log, tmp_path: Path) -> None:
    started = time.monotonic()
    script = f"sleep 300 & echo $! >{tmp_path}/pid; trap '' TERM; echo on; wait"
    ended = step_runner.run_program(["sh", "-c", script], log, 1)
    assert ended.timed_out
    assert (ended.output, ended.errors) == ("on\n", "")
    assert time.monotonic() - started < 20
    assert not Path(f"/proc/{(tmp_path / 'pid').read_text().strip()}/fd").exists()


def test_a_program_ends_with_who_started_it(tmp_path: Path) -> None:
    program = textwrap.dedent(f"""
        import sys
        sys.path[:0] = {[str(steps_support.ROOT / "assets" / name) for name in ("steps", "jobs")]!r}
        from step_log import open_log
        from step_runner import run_program
        run_program(["sh", "-c", "trap '' TERM HUP; echo $$; sleep 300"], open_log({str(tmp_path / "x.log")!r}, 60), 60)
    """)
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    command = Path("/proc", process.stdout.readline().strip(), "cmdline")
    assert command.read_text()
    process.kill()
    process.wait()
    ends = time.monotonic() + 20
    while command.exists() and command.read_text() and time.monotonic() < ends:  # a zombie has none
        time.sleep(0.02)
    assert not command.exists() or not command.read_text()


@pytest.mark.parametrize("seconds", [60, 1])
def test_what_a_program_leaves_behind_in_a_group_of_its_own_ends_too(log: Log, tmp_path: Path, seconds: float) -> None:
    left = f"setsid sh -c 'sleep 300 & echo $! >{tmp_path}/pid; wait' &"
    more = "sleep 300" if seconds == 1 else "while [ ! -s pid ]; do sleep 0.01; done"
    ended = step_runner.run_program(["sh", "-c", f"{left} {more}"], log, seconds, folder=tmp_path)
    assert ended.timed_out == (seconds == 1)
    assert not Path(f"/proc/{(tmp_path / 'pid').read_text().strip()}/fd").exists()


@pytest.mark.parametrize(("script", "code"), [("kill -9 $$", 137), ("exec no-such-program", 127)])
def test_how_a_program_ended(log: Log, script: str, code: int) -> None:
    ended = step_runner.run_program(["sh", "-c", script], log, 60)
    assert (ended.code, ended.timed_out) == (code, False)


def test_sigterm_is_told_of_at_once_and_raised(tmp_path: Path) -> None:
    program = textwrap.dedent(f"""
        import sys
        sys.path[:0] = {[str(steps_support.ROOT / "assets" / name) for name in ("steps", "jobs")]!r}
        from step_log import open_log
        from step_runner import TerminatedError, raise_on_sigterm, run_program
        raise_on_sigterm("the end has come")
        log = open_log({str(tmp_path / "x.log")!r}, 60)
        told = lambda reason: print(f"told: {{reason}}", flush=True)
        try:
            run_program(["sh", "-c", "trap 'sleep 0.5; echo bye; exit' TERM; echo on; sleep 300 & wait"], log, 60,
                        on_sigterm=told, terminated_after=5)
        except TerminatedError as reason:
            print(f"raised: {{reason}}")
    """)
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    assert process.stdout.readline() == "on\n"
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGTERM)
    assert process.stdout.read() == "told: the end has come\nbye\nraised: the end has come\n"
    assert process.wait(10) == 0


def test_steps_before_the_current_one_have_succeeded() -> None:
    assert step_runner.states_of(["a", "b", "c"], "b", "failed") == [
        ("a", "succeeded"),
        ("b", "failed"),
        ("c", "pending"),
    ]


@pytest.mark.parametrize(
    ("line", "progress"),
    [
        ("[oneoff] rows 12/300\n", ("rows", 12, 300)),
        ("[oneoff] rows 12/300", ("rows", 12, 300)),
        (" [oneoff] rows 12/300", None),
        ("[oneoff] rows 12 of 300", None),
    ],
)
def test_progress(line: str, progress: tuple[str, int, int] | None) -> None:
    assert step_runner.progress_of(line) == progress


def test_spans_are_spoken_as_elsewhere() -> None:
    spoken = {1: "1 s", 60: "1 min", 5400: "1 h 30 min", 7200: "2 h", 90_061: "1 d 1 h"}
    assert {seconds: step_runner.spoken(seconds) for seconds in spoken} == spoken
