"""The measuring part of tests/bench/sweep.py."""

from __future__ import annotations

import sys

import pytest
import sweep

BURN = "import time\nwhile time.process_time() < 0.5: pass"
# A grandchild whose parent never waits for it, as the workers of PySpark are.
ORPHAN = f"""
import signal, subprocess, sys, time
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
subprocess.Popen([sys.executable, "-c", {BURN!r}], stdout=subprocess.DEVNULL)
{BURN}
time.sleep(1)
"""


def test_counts_all_processes_of_the_tree() -> None:
    figures, _ = sweep.measure([sys.executable, "-c", ORPHAN])
    assert 0.8 < figures["cpu_seconds"] < 1.5
    assert figures["wall_seconds"] >= 1.5


def test_ends_with_the_error_of_what_it_measures() -> None:
    with pytest.raises(SystemExit, match="no luck"):
        sweep.measure([sys.executable, "-c", "raise SystemExit('no luck')"])
