"""oneoff.py with a lake in an object store that speaks S3."""

from __future__ import annotations

import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.fs
import pytest
from emr_support import JOBS, REGION, STEPS, Bucket

pytest_plugins = "emr_fixtures"
sys.path[:0] = [str(STEPS), str(JOBS)]
import oneoff  # noqa: E402
import run_record  # noqa: E402

ROWS = pa.table({"id": [1, 2], "text": ["a", "b"]})


@pytest.fixture(autouse=True)
def s3(s3_env: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """This process talks to the S3 of the tests, and never asks where a bucket is."""
    for name, value in s3_env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(pyarrow.fs, "FileSystem", None)


@pytest.mark.parametrize("name", ["AWS_REGION", "AWS_DEFAULT_REGION"])
def test_the_region_is_not_looked_up(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    for other in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(other, raising=False)
    monkeypatch.setenv(name, "eu-west-1")
    filesystem, path = oneoff._filesystem("s3://bucket/a/b/")
    assert (filesystem.region, path) == ("eu-west-1", "bucket/a/b")


def test_the_endpoint_of_s3_comes_first(
    monkeypatch: pytest.MonkeyPatch, bucket: Bucket, s3_env: dict[str, str]
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", s3_env["AWS_ENDPOINT_URL"])
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    oneoff.put(f"{bucket.address}/x", b"1")
    assert bucket.keys() == ["x"]


def test_nothing_is_written_but_the_files(bucket: Bucket) -> None:
    oneoff.write_part(ROWS, f"{bucket.address}/t/run=1", "part")
    oneoff.write_part(ROWS, f"{bucket.address}/t/run=1", "part")
    assert bucket.keys() == ["t/run=1/part.parquet"]
    assert bucket.s3.list_multipart_uploads(Bucket=bucket.name).get("Uploads", []) == []


def test_a_large_file_is_there_whole(bucket: Bucket) -> None:
    content = bytes(range(256)) * (12 << 12)
    oneoff.put(f"{bucket.address}/large", content)
    assert bucket.s3.get_object(Bucket=bucket.name, Key="large")["Body"].read() == content


def test_what_is_not_there(bucket: Bucket) -> None:
    assert oneoff.read_table(f"{bucket.address}/none", ["id"]) is None
    assert oneoff.digest(f"{bucket.address}/none", ["id"]) == (0, "0" * 32)
    assert oneoff._get(f"{bucket.address}/none") is None


def test_an_object_that_is_not_there_is_not_asked_for(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    """Real S3 answers 403, not 404, to a role that may list some prefixes only; moto does not look at roles."""
    oneoff.put(f"{bucket.address}/_runs/1.json", b"{}")
    filesystem, _ = oneoff._filesystem(bucket.address)

    class Denied:
        get_file_info = filesystem.get_file_info

        @staticmethod
        def open_input_stream(path: str) -> pa.NativeFile:
            if not path.endswith("/_runs/1.json"):
                raise OSError("AWS Error ACCESS_DENIED during HeadObject operation")
            return filesystem.open_input_stream(path)

    monkeypatch.setattr(oneoff, "_filesystem", lambda address: (Denied, address.partition("://")[2]))
    assert oneoff._get(f"{bucket.address}/_runs/2.json") is None
    assert oneoff._get(f"{bucket.address}/none/2.json") is None
    assert oneoff._get(f"{bucket.address}/_runs/1.json") == b"{}"


def test_marks_of_folders_are_no_files(bucket: Bucket) -> None:
    oneoff.write_part(ROWS, f"{bucket.address}/t/run=1/month=1", "part")
    for key in ("t/run=1/", "t/run=1/month=1/", "t/run=1/month=1_$folder$", "t/run=1_$folder$", "t/run=1/_SUCCESS"):
        bucket.s3.put_object(Bucket=bucket.name, Key=key, Body=b"")
    table = oneoff.read_table(f"{bucket.address}/t/run=1", ["id", "month"])
    assert table
    assert table.to_pylist() == [{"id": 1, "month": "1"}, {"id": 2, "month": "1"}]


def test_a_digest_is_the_same_on_s3_and_in_a_folder(bucket: Bucket, tmp_path: Path) -> None:
    for lake in (bucket.address, str(tmp_path)):
        oneoff.write_part(ROWS, f"{lake}/t", "part")
    assert oneoff.digest(f"{bucket.address}/t", ["id", "text"]) == oneoff.digest(f"{tmp_path}/t", ["id", "text"])


def test_the_record_of_a_run(bucket: Bucket) -> None:
    running = run_record.record(bucket.address, "1", "xo", "running")
    assert bucket.record() == running
    ended = run_record.record(bucket.address, "1", "xo", "failed", error="why")
    assert bucket.record() == ended
    assert (ended["started"], ended["error"]) == (running["started"], "why")
    with pytest.raises(run_record.RunEndedError):
        run_record.record(bucket.address, "1", "xo", "running")
    assert bucket.keys() == ["_runs/1.json"]
    assert oneoff._filesystem(bucket.address)[0].region == REGION
