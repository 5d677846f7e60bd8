"""Job xo with a real Spark through step.py, its lake in S3: the same tables as in a folder."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from emr_support import BIN, JOBS, ROOT, SYSTEM_PATH, Bucket, Node

pytest_plugins = "emr_fixtures"
sys.path[:0] = [str(JOBS), str(ROOT / "tests")]
import declared  # noqa: E402
import oneoff  # noqa: E402

LEAVES = {"generate": ["points"], "train": ["models", "surface", "optimum"]}
STEPS = list(LEAVES)
TABLES = {table["name"]: table for table in declared.tables_of("xo()")[1]}


def script(step: str, lake: str) -> list[str]:
    """The step's script with its arguments, as a cluster gives them."""
    folder = {name: f"--{name}={lake}/{name}/run=1" for name in TABLES}
    if step == "generate":
        return [str(JOBS / "xo" / "generate.py"), folder["points"], "--rows=2000"]
    return [str(JOBS / "xo" / "train.py"), *folder.values(), "--hidden=5,10", "--seeds=1", "--grid=10"]


def spark(step: str, lake: str) -> list[str]:
    """What a cluster submits."""
    java = ["--driver-java-options", "-XX:TieredStopAtLevel=1", "--conf", "spark.ui.enabled=false"]
    return ["--master", "local[2]", *java, "--py-files", str(JOBS / "oneoff.py"), *script(step, lake)]


def test_xo_on_s3(node: Node, code: Path, bucket: Bucket, s3_env: dict[str, str], tmp_path: Path) -> None:
    env = {**node.env, **s3_env, "PATH": f"{BIN}:{SYSTEM_PATH}", "PYSPARK_PYTHON": sys.executable}
    env["PATH"] = f"{tmp_path}/bin:{env['PATH']}"
    node.stub("yarn", "")
    (code / "job.json").write_text(declared.job_file("xo", LEAVES, list(TABLES.values())))
    for step in STEPS:
        what = ["--lake", bucket.address, "--run=1", "--step", step]
        command = [code / "step.py", *what, "--time-limit=300", "--log-every=0.5", "--", "spark-submit"]
        done = subprocess.run(
            [sys.executable, *command, *spark(step, bucket.address)],
            env=env,
            capture_output=True,
            check=False,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        log = bucket.text(f"_logs/1/{step}.log")
        assert f"[oneoff] {'parts 2/2' if step == 'generate' else 'models 2/2'}\n" in log

    folder = str(tmp_path / "lake")
    local = [
        sys.executable,
        ROOT / "tests" / "spark" / "run_steps.py",
        json.dumps([script(step, folder) for step in STEPS]),
    ]
    local_env = {**env, "AWS_REGION": "", "PYTHONPATH": str(JOBS)}
    subprocess.run(local, env=local_env, capture_output=True, check=True)
    record: dict[str, Any] = bucket.record()
    assert record["state"] == "succeeded"
    assert [step["state"] for step in record["steps"]] == ["succeeded"] * 2
    rows = {"points": 2000, "models": 2, "surface": 200, "optimum": 1}
    assert {name: table["rows"] for name, table in record["tables"].items()} == rows
    for name, table in TABLES.items():
        columns = [column["name"] for column in table["columns"] if not column["measured"]]
        assert oneoff.digest(f"{folder}/{name}/run=1", columns) == tuple(record["tables"][name].values())
    beside = [key for key in sorted(bucket.keys()) if key.split("/")[0] not in TABLES]
    assert beside == ["_logs/1/generate.log", "_logs/1/train.log", "_runs/1.json"]
