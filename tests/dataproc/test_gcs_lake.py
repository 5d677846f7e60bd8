"""oneoff.py with a lake in Cloud Storage."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.fs
import pytest
from dataproc_support import Bucket

import oneoff  # isort: skip
import run_record  # isort: skip
import step_tools  # isort: skip

pytest_plugins = "dataproc_fixtures"

ROWS = pa.table({"id": [1, 2], "text": ["a", "b"]})


@pytest.fixture(autouse=True)
def here(gcs: None) -> None:
    """This process talks to the Cloud Storage of the tests."""


def test_one_client_is_made_per_bucket(lake: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []

    class Counting:
        @staticmethod
        def from_uri(uri: str) -> tuple[pyarrow.fs.FileSystem, str]:
            made.append(uri)
            return actual.from_uri(uri)

    actual = pyarrow.fs.FileSystem
    monkeypatch.setattr(pyarrow.fs, "FileSystem", Counting)
    for name in ("a", "b"):
        oneoff.put(f"{lake.address}/x/{name}", b"1")
        assert oneoff._get(f"{lake.address}/x/{name}") == b"1"
    assert made == [lake.address]


def test_nothing_is_written_but_the_files(lake: Bucket) -> None:
    oneoff.write_part(ROWS, f"{lake.address}/t/run=1", "part")
    oneoff.write_part(ROWS, f"{lake.address}/t/run=1", "part")
    assert lake.keys() == ["t/run=1/part.parquet"]


def test_a_large_file_is_there_whole(lake: Bucket) -> None:
    content = bytes(range(256)) * (12 << 12)
    oneoff.put(f"{lake.address}/large", content)
    assert oneoff._get(f"{lake.address}/large") == content
    with oneoff.open_file(f"{lake.address}/large") as file:
        assert file.read_at(3, 256 * 1000 + 7) == b"\x07\x08\x09"


def test_what_is_not_there(lake: Bucket) -> None:
    assert oneoff.read_table(f"{lake.address}/none", ["id"]) is None
    assert oneoff.digest(f"{lake.address}/none", ["id"]) == (0, "0" * 32)
    assert oneoff._get(f"{lake.address}/none") is None
    oneoff.put(f"{lake.address}/_runs/1.json", b"{}")
    assert oneoff._get(f"{lake.address}/_runs/2.json") is None
    assert oneoff._get(f"{lake.address}/_run") is None
    with pytest.raises(FileNotFoundError, match="there is no such file or folder"):
        oneoff.list_files(f"{lake.address}/none")
    with pytest.raises(OSError, match="Not Found"):
        oneoff.put("gs://not-there/x", b"1")


def test_files_of_a_folder(lake: Bucket) -> None:
    for key in ("t/b.csv", "t/a.csv", "t/.hidden", "t/_SUCCESS", "t/below/c.csv", "t/", "tx/d.csv"):
        lake.put(key, "12")
    there = f"{lake.address}/t"
    assert oneoff.list_files(there) == oneoff.list_files(f"{there}/") == [(f"{there}/a.csv", 2), (f"{there}/b.csv", 2)]
    assert oneoff.list_files(f"{there}/a.csv") == [(f"{there}/a.csv", 2)]


def test_marks_of_folders_are_no_files(lake: Bucket) -> None:
    oneoff.write_part(ROWS, f"{lake.address}/t/run=1/month=2012-01", "part")
    for key in ("t/run=1/", "t/run=1/month=2012-01/", "t/run=1/_SUCCESS", "t/run=1/_temporary/0/part.parquet"):
        lake.put(key, "")
    table = oneoff.read_table(f"{lake.address}/t/run=1", ["id", "month"])
    assert table
    assert table.to_pylist() == [{"id": 1, "month": "2012-01"}, {"id": 2, "month": "2012-01"}]


def test_a_digest_is_the_same_there_and_in_a_folder(lake: Bucket, tmp_path: Path) -> None:
    for address in (lake.address, str(tmp_path)):
        oneoff.write_part(ROWS, f"{address}/t", "part")
    assert oneoff.digest(f"{lake.address}/t", ["id", "text"]) == oneoff.digest(f"{tmp_path}/t", ["id", "text"])


def test_the_record_of_a_run(lake: Bucket) -> None:
    running = run_record.record(lake.address, "1", "xo", "running")
    assert lake.record() == running
    ended = run_record.record(lake.address, "1", "xo", "failed", error="why")
    assert lake.record() == ended
    assert (ended["started"], ended["error"]) == (running["started"], "why")
    with pytest.raises(run_record.RunEndedError):
        run_record.record(lake.address, "1", "xo", "running")
    assert lake.keys() == ["_runs/1.json"]


def test_scratch_is_cleared_and_nothing_beside_it(lake: Bucket) -> None:
    stays = ["_scratch/10/a", "_scratch/1x", "t/1/a"]
    for key in ("_scratch/1/a", "_scratch/1/b/c", "_scratch/1/b/", *stays):
        lake.put(key, "1")
    for _ in range(2):  # the second time there is nothing
        step_tools.clear_folder(f"{lake.address}/_scratch/1")
        assert lake.keys() == stays


def test_scratch_that_cannot_be_cleared(monkeypatch: pytest.MonkeyPatch) -> None:
    class Denied:
        @staticmethod
        def delete_dir_contents(path: str, *, missing_dir_ok: bool) -> None:
            raise OSError(f"{path}: Permission\ndenied ({missing_dir_ok})")

    monkeypatch.setattr(oneoff, "_filesystem", lambda address: (Denied, address.partition("://")[2]))
    with pytest.raises(step_tools.StepError, match=r"^b/_scratch/1: Permission denied \(True\)$"):
        step_tools.clear_folder("gs://b/_scratch/1")
