"""main.py started by a real spark-submit, as Dataproc does; the spark-submit that the step starts is a stub."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
from dataproc_support import BIN, DATAPROC, Node, set_up_node, spark_conf, wait_for

import declared  # isort: skip

import main  # isort: skip

pytest_plugins = ("dataproc_fixtures", "emr_fixtures")

JOB: dict[str, Any] = {"steps": [], "file": declared.job_file("xo", {"train": []}, [])}


class Job(Node):
    """The primary node of a cluster, and a folder for a lake."""

    @property
    def lake(self) -> Path:
        return self.home / "lake"

    def start(self, *conf: str) -> subprocess.Popen[str]:
        outer = [BIN / "spark-submit", *(part for each in conf for part in ("--conf", each)), DATAPROC / "main.py"]
        step = ["--lake", self.lake, "--run=1", "--step=train", "--time-limit=60"]
        inner = ["--", "spark-submit", "--master", "yarn", "script.py", "--", "x y"]
        return subprocess.Popen(
            [*outer, *step, "--log-every=0.2", *inner],
            env=self.env,
            cwd=self.home,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def record(self) -> dict[str, Any]:
        return json.loads((self.lake / "_runs" / "1.json").read_text())

    def log(self) -> str:
        return (self.lake / "_logs" / "1" / "train.log").read_text()


@pytest.fixture
def job(node: Node) -> Job:
    job = Job(node.home, node.env)
    job.env |= {"ONEOFF_ROOT": str(set_up_node(node.home / "oneoff", JOB)), "PYSPARK_PYTHON": str(BIN / "python")}
    job.env["SPARK_CONF_DIR"] = str(spark_conf(node.home / "conf"))
    job.stub("spark-submit", "env -0 | sort -z | tr '\\0\\n' '\\n '")
    job.stub("yarn", "")
    return job


def test_the_step_gets_its_arguments_and_the_jobs_tags(job: Job) -> None:
    process = job.start("spark.yarn.tags=dataproc_job_7,dataproc_uuid_8", "spark.driver.cores=3")
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert job.record()["state"] == "succeeded"
    tags = "spark.yarn.tags=oneoff-1-train,dataproc_job_7,dataproc_uuid_8"
    assert job.calls[0] == f"spark-submit --conf {tags} --master yarn script.py -- x y"
    assert job.calls[1].startswith("yarn application -list -appTags oneoff-1-train ")
    # What the outer spark-submit has set is gone, and nothing else.
    names = {line.partition("=")[0] for line in out.splitlines()}
    assert {"PATH", "SPARK_HOME", "SPARK_CONF_DIR", "ONEOFF_ROOT"} < names
    assert not [name for name in names if name.startswith(("PYSPARK", "_PYSPARK", "_SPARK"))]
    assert not names & {"PYTHONPATH", "SPARK_ENV_LOADED", "OMP_NUM_THREADS"}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_the_end_of_the_driver_is_the_end_of_the_step(job: Job, number: signal.Signals) -> None:
    job.stub("spark-submit", 'echo $$ >"$HOME/pid"; echo started; sleep 300')
    process = job.start()
    wait_for(lambda: "started" in job.log())
    process.send_signal(number)  # the JVM alone, as its Python is another process
    process.communicate(timeout=120)
    assert wait_for(lambda: job.record()["state"] != "running" and job.record())["error"].startswith("ended by SIGTERM")
    assert wait_for(lambda: job.calls[-1].startswith("yarn application -list"))
    assert not Path(f"/proc/{(job.home / 'pid').read_text().strip()}/fd").exists()


def test_the_exit_code_is_the_steps_whose_job_has_no_tags(job: Job) -> None:
    job.stub("spark-submit", "echo 'ValueError: no luck' >&2; exit 7")
    process = job.start()
    _, err = process.communicate(timeout=120)
    assert job.calls[0] == "spark-submit --conf spark.yarn.tags=oneoff-1-train --master yarn script.py -- x y", err
    assert process.returncode == 1
    assert job.record()["error"] == 'step "train" failed (exit 7): ValueError: no luck'


def test_a_node_that_was_not_set_up(job: Job) -> None:
    job.env["ONEOFF_ROOT"] = str(job.home / "none")
    process = job.start()
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 1
    python = job.home / "none" / "venv" / "recorder" / "bin" / "python"
    assert f"main.py: error: {python} is missing; the cluster needs the initialization action init.sh\n" in out


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--", "/usr/bin/spark-submit", "x"], ["--", "/usr/bin/spark-submit", "--conf", "spark.yarn.tags=t", "x"]),
        (["--", "hadoop", "spark-submit"], ["--", "hadoop", "spark-submit"]),
        (["--step", "spark-submit"], ["--step", "spark-submit"]),
        (["--"], ["--"]),
        ([], []),
    ],
)
def test_only_a_spark_submit_gets_tags(arguments: list[str], expected: list[str]) -> None:
    assert main.with_tags(arguments, "t") == expected
    assert main.with_tags(arguments, "") == arguments


def test_without_spark_there_are_no_tags(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    monkeypatch.delenv("PYSPARK_GATEWAY_PORT", raising=False)
    assert main.own_tags() == ""
    monkeypatch.setenv("PYSPARK_GATEWAY_PORT", "1")
    monkeypatch.setenv("PYSPARK_GATEWAY_SECRET", "s")
    assert main.own_tags() == ""
    assert capsys.readouterr().err.startswith("main.py: the job's YARN tags are not known: ")
