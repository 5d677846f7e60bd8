"""The log of a step, and what it says of a failure."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest
import steps_support  # noqa: F401

import step_log  # isort: skip


def test_a_long_log_keeps_its_beginning_and_its_end(tmp_path: Path) -> None:
    log = step_log.ObjectLog(str(tmp_path / "x.log"), every=60)
    for number in range(300_000):
        log.write(f"line {number:07d}\n".encode())
    size = log.size
    echo, lines = io.BytesIO(), []
    log.copy(io.BytesIO(b"ValueError: last\n"), echo, lines.append)
    assert (echo.getvalue(), lines) == (b"ValueError: last\n", ["ValueError: last\n"])
    log.close()
    kept = (tmp_path / "x.log").read_bytes()
    assert kept.startswith(b"line 0000000\n")
    assert kept.endswith(b"line 0299999\nValueError: last\n")
    assert step_log.HEAD + step_log.TAIL < len(kept) < step_log.HEAD + step_log.TAIL + 200
    assert f"[{log.size - step_log.HEAD - step_log.TAIL} bytes are left out here" in kept.decode()
    assert log.since(size) == "ValueError: last\n"


def test_a_file_has_all_of_a_log_at_once_and_what_was_in_it_before(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "x.log"
    for number in range(2):
        log = step_log.open_log(str(path), every=60, echo=False)
        log.write(b"x" * (step_log.HEAD + 2 * step_log.TAIL) + b"\n")
        size = log.size
        log.say(f"run {number}")
        assert path.read_text().endswith(f"\nrun {number}\n")
        assert log.since(size) == f"run {number}\n"
        log.close()
    assert path.stat().st_size == 2 * log.size


def test_a_log_goes_on_without_its_file_and_without_an_echo(tmp_path: Path, capfdbinary: pytest.CaptureFixture) -> None:
    log = step_log.FileLog(Path("/dev/full"), echo=False)
    log.say("hm")
    log.copy(io.BytesIO(b"ValueError: last\n"), sys.stdout.buffer)
    assert log.since(0) == "hm\nValueError: last\n"
    log.close()
    assert capfdbinary.readouterr() == (b"", b"")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "it printed nothing"),
        ("a\nb\n", "b"),
        ("x.SparkException: why\n\tat a.B\n... \n", "x.SparkException: why"),
        ("26/01/01 ERROR x: y\n26/01/01 INFO ShutdownHookManager: bye\n[oneoff] a 1/2\n", "26/01/01 ERROR x: y"),
    ],
)
def test_last_problem(text: str, problem: str) -> None:
    assert step_log.last_problem(text) == problem
