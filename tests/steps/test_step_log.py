"""The log of a step, and what it says of a failure."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
import steps_support  # noqa: F401

import step_log  # isort: skip


def test_a_long_log_keeps_its_beginning_and_its_end(tmp_path: Path) -> None:
    log = step_log.Log(str(tmp_path / "x.log"), every=60)
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
