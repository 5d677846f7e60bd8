"""Tables on their way from a stage to the lake."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from swarm_support import ASSETS, JOBS, ROOT, wait_for

sys.path[:0] = [str(ASSETS / "driver"), str(ASSETS / "steps"), str(JOBS), str(ROOT / "tests" / "emr")]
import oneoff  # noqa: E402
import run_tables  # noqa: E402
from emr_support import Bucket  # noqa: E402
from step_runner import StepError  # noqa: E402

pytest_plugins = "emr_fixtures"


class Places:
    """A stage with files, and a lake."""

    def __init__(self, folder: Path, lake: str) -> None:
        self.folder = folder
        self.lake = lake
        self.stage = run_tables.Stage(str(folder), lake, "1", ["points", "models"])

    def write(self, path: str, content: bytes) -> None:
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)

    def remove(self, path: str) -> None:
        (self.folder / path).unlink()

    def copy(self) -> tuple[int, int]:
        return tuple(self.stage.copy(60))


def below(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(tmp_path / "stage", str(tmp_path / "lake"))


def test_only_what_is_new_is_copied(places: Places) -> None:
    assert places.copy() == (0, 0)
    places.write("points/run=1/a.parquet", b"one")
    places.write("points/run=1/month=1/b.parquet", b"two!")
    places.write("points/run=2/of-another-run.parquet", b"no")
    for hidden in ("points/run=1/_temporary/0/c.parquet", "points/run=1/_SUCCESS", "models/run=1/.d.crc"):
        places.write(hidden, b"no")
    assert places.copy() == (2, 7)
    expected = {"points/run=1/a.parquet": b"one", "points/run=1/month=1/b.parquet": b"two!"}
    assert below(Path(places.lake)) == expected
    written = Path(places.lake, "points/run=1/a.parquet").stat().st_mtime_ns
    places.write("models/run=1/e.parquet", b"x" * (10 << 20))
    assert places.copy() == (1, 10 << 20)
    assert places.copy() == (0, 0)
    assert Path(places.lake, "points/run=1/a.parquet").stat().st_mtime_ns == written


def test_a_table_that_a_later_step_writes_anew_is_so_in_the_lake(places: Places) -> None:
    places.write("points/run=1/a.parquet", b"one")
    places.write("points/run=1/b.parquet", b"two")
    places.copy()
    places.remove("points/run=1/a.parquet")
    places.write("points/run=1/b.parquet", b"TWO!")
    places.write("points/run=1/c.parquet", b"three")
    assert places.copy() == (2, 9)
    assert below(Path(places.lake)) == {"points/run=1/b.parquet": b"TWO!", "points/run=1/c.parquet": b"three"}


def test_a_file_that_is_cut_short_never_appears(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    places.write("points/run=1/a.parquet", b"one")
    monkeypatch.setattr(run_tables, "_pour", lambda source, sink, stop: sink.write(b"o"))
    with pytest.raises(StepError, match=r"a\.parquet has 1 bytes instead of 3"):
        places.copy()
    assert below(Path(places.lake)) == {}


def test_copying_ends_in_time(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(6):
        places.write(f"points/run=1/{number}.parquet", b"one")
    monkeypatch.setattr(run_tables, "_pour", lambda source, sink, stop: stop.wait(30))
    with pytest.raises(StepError, match="6 of 6 part files were not in the lake in time"):
        places.stage.copy(0.2)
    wait_for(lambda: below(Path(places.lake)) == {})


def test_a_lake_in_s3(tmp_path: Path, bucket: Bucket, s3_env: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in s3_env.items():
        monkeypatch.setenv(name, value)
    places = Places(tmp_path, bucket.address)
    content = bytes(range(256)) * (12 << 12)
    places.write("points/run=1/large.parquet", content)
    places.write("points/run=1/month=1/small.parquet", b"two")
    assert places.copy() == (2, len(content) + 3)
    assert bucket.keys() == ["points/run=1/large.parquet", "points/run=1/month=1/small.parquet"]
    assert bucket.s3.get_object(Bucket=bucket.name, Key="points/run=1/large.parquet")["Body"].read() == content
    assert bucket.s3.list_multipart_uploads(Bucket=bucket.name).get("Uploads", []) == []
    places.remove("points/run=1/large.parquet")
    assert places.copy() == (0, 0)
    left = bucket.keys()
    assert "points/run=1/large.parquet" not in left


def test_folders_that_go_with_the_run(tmp_path: Path) -> None:
    folder = tmp_path / "_scratch" / "1"
    run_tables.make_folder(str(folder))
    (folder / "csv").mkdir()
    (folder / "csv" / "x").touch()
    run_tables.remove_folder(str(folder))
    assert list(tmp_path.glob("_scratch/*")) == []
    run_tables.remove_folder(str(folder))


def test_folders_in_s3(bucket: Bucket, s3_env: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in s3_env.items():
        monkeypatch.setenv(name, value)
    run_tables.make_folder(f"{bucket.address}/_scratch/1")
    assert bucket.keys() == []
    oneoff.put(f"{bucket.address}/_scratch/1/csv/x", b"x")
    oneoff.put(f"{bucket.address}/_scratch/10/csv/x", b"x")
    run_tables.remove_folder(f"{bucket.address}/_scratch/1")
    run_tables.remove_folder(f"{bucket.address}/_scratch/2")
    left = bucket.keys()
    assert [key for key in left if not key.endswith("/")] == ["_scratch/10/csv/x"]
