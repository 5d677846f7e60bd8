"""All steps of the jobs with a lake in Cloud Storage, on a cluster's node and as batches: the same as in a folder."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from dataproc_support import (
    BIN,
    DATAPROC,
    STEPS,
    Bucket,
    arguments_of,
    jobs,
    node_files,
    options_of,
    put_code,
    set_up_node,
    spark_conf,
)

pytest_plugins = "dataproc_fixtures"

JOB_NAMES = ["xo", "london-power"]
jobs = cache(jobs)


def run(command: list[str], env: Mapping[str, str], folder: Path) -> None:
    done = subprocess.run(command, env=env, cwd=folder, capture_output=True, check=False, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-6000:]


@pytest.fixture(scope="module")
def folder_records(tmp_path_factory: pytest.TempPathFactory) -> Any:  # noqa: ANN401
    """The record of a job that was run with a folder for a lake, by the job's name."""
    folder = tmp_path_factory.mktemp("folder")
    code = folder / "node"
    code.mkdir()
    for file in node_files():
        shutil.copy(file, code)
    env = {**os.environ, "PYSPARK_PYTHON": sys.executable, "PATH": f"{BIN}:{os.environ['PATH']}"}
    env["SPARK_CONF_DIR"] = str(spark_conf(folder / "conf"))

    @cache
    def record(name: str) -> dict[str, Any]:
        job, lake = jobs()[name], str(folder / name)
        for step in job["steps"]:
            submit = ["spark-submit", "--master", "local[2]", "--py-files", ",".join(step["pyFiles"]), step["script"]]
            command = [sys.executable, str(code / "step.py"), *options_of(job, step, lake), "--", *submit]
            run([*command, *arguments_of(job, step, lake)], env, folder)
        return json.loads((folder / name / "_runs" / "1.json").read_text())

    return record


def check(job: dict[str, Any], lake: Bucket, folder_record: dict[str, Any]) -> None:
    """The bucket has the same tables as the folder, the logs, and nothing else."""
    record = lake.record()
    assert record["state"] == "succeeded"
    assert [step["state"] for step in record["steps"]] == ["succeeded"] * len(job["steps"])
    assert record["tables"] == folder_record["tables"]
    assert len(record["tables"]) == len(job["tables"])
    assert all(table["rows"] for name, table in record["tables"].items() if name != "rejected")
    tables = {table["name"] for table in job["tables"]}
    beside = [key for key in lake.keys("") if key.split("/")[0] not in {*tables, "_code", "_wheels"}]
    assert beside == [*sorted(f"_logs/1/{step['name']}.log" for step in job["steps"]), "_runs/1.json"]
    for step in job["steps"]:
        assert "[oneoff] " in lake.text(f"_logs/1/{step['name']}.log")


@pytest.mark.parametrize("name", JOB_NAMES)
def test_on_a_node(name: str, lake: Bucket, gcs_env: dict[str, str], folder_records: Any, tmp_path: Path) -> None:  # noqa: ANN401
    job = jobs()[name]
    root = set_up_node(tmp_path / "oneoff", job)
    env = {**os.environ, **gcs_env, "PATH": f"{BIN}:{os.environ['PATH']}", "ONEOFF_ROOT": str(root)}
    env["SPARK_CONF_DIR"] = str(spark_conf(tmp_path / "conf", lake.url))
    for step in job["steps"]:
        files = root / "code" / "steps" / step["name"]
        inner = ["spark-submit", "--master", "local[2]", "--conf", f"spark.pyspark.python={sys.executable}"]
        inner += ["--py-files", ",".join(str(files / Path(path).name) for path in step["pyFiles"])]
        inner += [str(files / Path(step["script"]).name), *arguments_of(job, step, lake.address)]
        outer = ["spark-submit", str(DATAPROC / "main.py"), *options_of(job, step, lake.address), "--"]
        run([*outer, *inner], env, tmp_path)
    check(job, lake, folder_records(name))


@pytest.mark.parametrize("name", JOB_NAMES)
def test_as_batches(name: str, lake: Bucket, gcs_env: dict[str, str], folder_records: Any, tmp_path: Path) -> None:  # noqa: ANN401
    job = jobs()[name]
    code = put_code(lake, job)
    env = {**os.environ, **gcs_env, "PATH": f"{BIN}:{os.environ['PATH']}", "PYSPARK_PYTHON": sys.executable}
    env["SPARK_CONF_DIR"] = str(spark_conf(tmp_path / "conf", lake.url))
    for step in job["steps"]:
        folder = tmp_path / step["name"]  # a container of its own
        folder.mkdir()
        modules = ",".join([str(STEPS / "google_cloud.py"), *step["pyFiles"]])
        batch = ["spark-submit", "--master", "local[2]", "--py-files", modules, str(DATAPROC / "batch.py")]
        batch += ["--code", code, *options_of(job, step, lake.address), "--"]
        script = f"steps/{step['name']}/{Path(step['script']).name}"
        run([*batch, script, *arguments_of(job, step, lake.address)], env, folder)
    check(job, lake, folder_records(name))
