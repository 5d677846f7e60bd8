"""oneoff.write_part: a reader sees a file whole or not at all, in a folder or in an object store."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import oneoff
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import JOBS

TABLE = pa.table({"id": range(50_000)})


def everything(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def visible(folder: Path) -> list[str]:
    """What Spark, DuckDB and Athena take for data."""
    return [name for name in everything(folder) if not name.startswith((".", "_"))]


def test_a_retry_writes_the_same_file_again(tmp_path: Path) -> None:
    for _ in range(2):
        oneoff.write_part(TABLE, str(tmp_path / "new" / "folder"), "part")
    assert everything(tmp_path / "new" / "folder") == ["part.parquet"]
    assert pq.read_table(tmp_path / "new" / "folder" / "part.parquet") == TABLE


def test_others_may_read_it(tmp_path: Path) -> None:
    mask = os.umask(0o022)
    try:
        oneoff.write_part(TABLE, str(tmp_path), "part")
    finally:
        os.umask(mask)
    assert stat.S_IMODE((tmp_path / "part.parquet").stat().st_mode) == 0o644


def test_a_reader_never_sees_half_a_file(tmp_path: Path) -> None:
    ended = threading.Event()

    def rewrite() -> None:
        for _ in range(200):
            oneoff.write_part(TABLE, str(tmp_path), "part")
        ended.set()

    writer = threading.Thread(target=rewrite)
    writer.start()
    reads = 0
    while not ended.is_set():
        for name in visible(tmp_path):
            assert pq.ParquetFile(tmp_path / name).metadata.num_rows == TABLE.num_rows
            reads += 1
    writer.join()
    assert reads > 10


@pytest.mark.parametrize(
    "death",
    [
        "Path.replace = lambda *_: os._exit(9)",
        "whole = Path.write_bytes; Path.write_bytes = lambda path, data: (whole(path, bytes(data)[:99]), os._exit(9))",
    ],
)
def test_killed_while_writing_leaves_nothing_to_see(tmp_path: Path, death: str) -> None:
    program = f"""
import os, sys
from pathlib import Path
sys.path.insert(0, {str(JOBS)!r})
import oneoff, pyarrow as pa
{death}
oneoff.write_part(pa.table({{"id": range(1000)}}), {str(tmp_path)!r}, "part")
"""
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 9
    assert len(everything(tmp_path)) == 1
    assert visible(tmp_path) == []
    assert oneoff.digest(str(tmp_path), ["id"])[0] == 0


def test_a_failed_write_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="no space left"):
        oneoff.write_part(TABLE, str(tmp_path), "part")
    assert everything(tmp_path) == []


def test_the_last_word_has_room_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    address = str(tmp_path / "status.json")
    oneoff.put(address, b"begun")
    oneoff.reserve(address, 95)
    monkeypatch.setattr(Path, "write_bytes", full)
    for data, last in ((b"on the way", False), (b"x" * 101, True)):
        with pytest.raises(OSError, match="No space left"):
            oneoff.put(address, data, last=last)
        assert Path(address).read_bytes() == b"begun"
    oneoff.put(address, b"over", last=True)
    assert everything(tmp_path) == ["status.json"]
    assert Path(address).read_bytes() == b"over"
    with pytest.raises(OSError, match="No space left"):
        oneoff.put(address, b"again", last=True)


def test_room_for_the_last_word_is_given_back(tmp_path: Path) -> None:
    oneoff.put(str(tmp_path / "1.json"), b"begun")
    oneoff.reserve(str(tmp_path / "1.json"), 100)
    assert len(everything(tmp_path)) == 2
    oneoff.put(str(tmp_path / "1.json"), b"over", last=True)
    assert everything(tmp_path) == ["1.json"]


@pytest.mark.parametrize("scheme", ["s3", "gs"])
def test_object_stores_get_one_object(object_store: Path, scheme: str) -> None:
    points = object_store / "bucket" / "points"
    points.mkdir(parents=True)
    oneoff.write_part(TABLE, f"{scheme}://bucket/points/", "part")
    assert everything(points) == ["part.parquet"]
    assert oneoff.digest(f"{scheme}://bucket/points", ["id"]) == oneoff.digest(str(points), ["id"])
    table = oneoff.read_table(f"{scheme}://bucket/points", ["id"])
    assert table is not None and table.num_rows == TABLE.num_rows


def test_progress_is_the_line_that_clusters_look_for(capfd: pytest.CaptureFixture[str]) -> None:
    oneoff.progress("models", 3, 30)
    assert capfd.readouterr().out == "[oneoff] models 3/30\n"
