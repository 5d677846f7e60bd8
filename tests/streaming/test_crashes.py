"""SIGKILL between any two steps of a batch, and a second start: each record counts once, and files are the same."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from feed import ROWS
from streaming_support import check_whole, files, stream

FEED = Path(__file__).with_name("feed.py")
# Of the state, of a batch's line in the log, and of a piece of the log that becomes part files.
STATE = ("state-torn", "state-written", "state-renamed", "state-saved")
LINE = ("log-torn", "log-written", "log-synced", "after-lake")
PIECE = ("log-cut", "part-begun", "part-written", "piece-removed")


def feed(folder: Path, every: float, run: str = "r1", dies: str = "") -> int:
    """Exit code."""
    env = {**os.environ, "ONEOFF_STREAM_DIES": dies}
    return subprocess.run([sys.executable, FEED, folder, str(every), run], env=env, check=False).returncode


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Part files where nothing dies, and a piece is cut with each batch."""
    folder = tmp_path_factory.mktemp("undisturbed")
    assert feed(folder, 0) == 0
    return files(folder)


@pytest.mark.parametrize("number", [1, 2, 5])
@pytest.mark.parametrize("point", [*STATE, *LINE, *PIECE])
def test_the_lake_is_the_same_whatever_dies(
    point: str, number: int, tmp_path: Path, undisturbed: dict[str, str]
) -> None:
    assert feed(tmp_path, 0, dies=f"{point}:{number}") == -signal.SIGKILL
    before = files(tmp_path)
    assert before.items() <= undisturbed.items()
    assert len(before) < len(undisturbed)
    assert feed(tmp_path, 0) == 0
    assert files(tmp_path) == undisturbed
    check_whole(tmp_path, stream(ROWS))


@pytest.mark.parametrize("run", ["r1", "r2"])
@pytest.mark.parametrize("point", [*STATE, *LINE, *PIECE])
def test_nothing_is_lost_of_what_is_in_no_part_yet(point: str, run: str, tmp_path: Path) -> None:
    """Several batches to a part, and the next start may be another run's."""
    number = 2 if point in PIECE else 5
    assert feed(tmp_path, 3, dies=f"{point}:{number}") == -signal.SIGKILL
    before = files(tmp_path)
    assert feed(tmp_path, 3, run) == 0
    assert before.items() <= files(tmp_path).items()
    check_whole(tmp_path, stream(ROWS), runs=sorted({"r1", run}))


def test_it_dies_again_and_again(tmp_path: Path) -> None:
    for point in (*STATE, *LINE, *PIECE):
        assert feed(tmp_path, 2, dies=point) == -signal.SIGKILL
    assert feed(tmp_path, 2) == 0
    check_whole(tmp_path, stream(ROWS))
