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
    echo, apart, lines = io.BytesIO(), step_log.Log(echo=False), []
    log.copy(io.BytesIO(b"ValueError: last\n"), echo, apart, lines.append)
    assert (echo.getvalue(), lines, apart.text()) == (
        b"ValueError: last\n",
        ["ValueError: last\n"],
        "ValueError: last\n",
    )
    log.close()
    kept = (tmp_path / "x.log").read_bytes()
    assert kept.startswith(b"line 0000000\n")
    assert kept.endswith(b"line 0299999\nValueError: last\n")
    assert step_log.HEAD + step_log.TAIL < len(kept) < step_log.HEAD + step_log.TAIL + 200
    size = 300_000 * len("line 0000000\n") + len("ValueError: last\n")
    assert f"[{size - step_log.HEAD - step_log.TAIL} bytes are left out here" in kept.decode()


def test_a_file_has_all_of_a_log_at_once_and_what_was_in_it_before(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "x.log"
    for number in range(2):
        log = step_log.open_log(str(path), every=60, echo=False)
        log.write(b"x" * (step_log.HEAD + 2 * step_log.TAIL) + b"\n")
        log.say(f"run {number}")
        assert path.read_text().endswith(f"\nrun {number}\n")
        log.close()
    assert path.stat().st_size == 2 * (step_log.HEAD + 2 * step_log.TAIL + len("\nrun 0\n"))


def test_a_log_goes_on_without_its_file_and_without_an_echo(tmp_path: Path, capfdbinary: pytest.CaptureFixture) -> None:
    log = step_log.FileLog(Path("/dev/full"), echo=False)
    log.say("hm")
    log.copy(io.BytesIO(b"ValueError: last\n"), sys.stdout.buffer)
    assert log.text() == "hm\nValueError: last\n"
    log.close()
    assert capfdbinary.readouterr() == (b"", b"")
