"""All steps of the jobs with a lake in Cloud Storage, on a cluster's node and as batches: the same as in a folder."""

from __future__ import annotations

import json
import os
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
    ROOT,
    STEPS,
    Bucket,
    arguments_of,
    jobs,
    options_of,
    put_code,
    set_up_node,
    spark_conf,
)

import oneoff  # isort: skip

pytest_plugins = "dataproc_fixtures"

JOB_NAMES = ["xo", "london-power"]
jobs = cache(jobs)


def run(command: list[str], env: Mapping[str, str], folder: Path) -> None:
    done = subprocess.run(command, env=env, cwd=folder, capture_output=True, check=False, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-6000:]


@pytest.fixture(scope="module")
def folder_tables(tmp_path_factory: pytest.TempPathFactory) -> Any:  # noqa: ANN401
    """The rows and digests of a job that was run with a folder for a lake, by the job's name."""
    folder = tmp_path_factory.mktemp("folder")
    env = {**os.environ, "PYSPARK_PYTHON": sys.executable, "SPARK_CONF_DIR": str(spark_conf(folder / "conf"))}

    @cache
    def tables(name: str) -> dict[str, Any]:
        job, lake = jobs()[name], str(folder / name)
        modules = {str(Path(file).parent) for step in job["steps"] for file in step["pyFiles"]}
        steps = [[step["script"], *arguments_of(job, step, lake)] for step in job["steps"]]
        script = str(ROOT / "tests" / "spark" / "run_steps.py")
        run([sys.executable, script, json.dumps(steps)], env | {"PYTHONPATH": os.pathsep.join(modules)}, folder)
        columns = {
            table["name"]: [column["name"] for column in table["columns"] if not column.get("measured")]
            for table in job["tables"]
        }
        found = {name: oneoff.digest(f"{lake}/{name}/run=1", of) for name, of in columns.items()}
        return {name: {"rows": rows, "digest": digest} for name, (rows, digest) in found.items()}

    return tables


def check(job: dict[str, Any], lake: Bucket, folder_tables: dict[str, Any]) -> None:
    """The bucket has the same tables as the folder, the logs, and nothing else."""
    record = lake.record()
    assert record["state"] == "succeeded"
    assert [step["state"] for step in record["steps"]] == ["succeeded"] * len(job["steps"])
    assert record["tables"] == folder_tables
    assert len(record["tables"]) == len(job["tables"])
    assert all(table["rows"] for name, table in record["tables"].items() if name != "rejected")
    tables = {table["name"] for table in job["tables"]}
    beside = [key for key in lake.keys("") if key.split("/")[0] not in {*tables, "_code", "_wheels"}]
    assert beside == [*sorted(f"_logs/1/{step['name']}.log" for step in job["steps"]), "_runs/1.json"]
    for step in job["steps"]:
        assert "[oneoff] " in lake.text(f"_logs/1/{step['name']}.log")


@pytest.mark.parametrize("name", JOB_NAMES)
def test_on_a_node(name: str, lake: Bucket, gcs_env: dict[str, str], folder_tables: Any, tmp_path: Path) -> None:  # noqa: ANN401
    job = jobs()[name]
    root = set_up_node(tmp_path / "oneoff", job)
    env = {**os.environ, **gcs_env, "PATH": f"{BIN}:{os.environ['PATH']}", "ONEOFF_ROOT": str(root)}
    env["SPARK_CONF_DIR"] = str(spark_conf(tmp_path / "conf", lake.url))
    for step in job["steps"]:
        files = root / "code" / "steps" / step["name"]
        inner = ["spark-submit", "--master", "local[2]", "--conf", f"spark.pyspark.python={sys.executable}"]
        inner += ["--py-files", ",".join(str(files / Path(path).name) for path in step["pyFiles"])]
        inner += [str(files / Path(step["script"]).name), *arguments_of(job, step, lake.address)]
        # Dataproc's own spark-submit makes no difference to what a step does: one job is enough to show that.
        outer = ["spark-submit" if name == "xo" else sys.executable, str(DATAPROC / "main.py")]
        outer += [*options_of(job, step, lake.address), "--"]
        run([*outer, *inner], env, tmp_path)
    check(job, lake, folder_tables(name))


@pytest.mark.parametrize("name", JOB_NAMES)
def test_as_batches(name: str, lake: Bucket, gcs_env: dict[str, str], folder_tables: Any, tmp_path: Path) -> None:  # noqa: ANN401
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
    check(job, lake, folder_tables(name))
