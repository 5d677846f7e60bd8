"""step.py with a real S3 and stubs for what only a cluster has."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from emr_support import JOBS, STEPS, Bucket, Node, wait_for

pytest_plugins = "emr_fixtures"
sys.path[:0] = [str(STEPS), str(JOBS), str(STEPS.parents[1] / "tests")]
import declared  # noqa: E402
import oneoff  # noqa: E402
import run_record  # noqa: E402
import step_tools  # noqa: E402

NAMES = ["generate", "train"]
ARN = "arn:aws:secretsmanager:us-west-2:1:secret:s"


class Step:
    """step.py on a node, for a lake."""

    def __init__(self, node: Node, code: Path, bucket: Bucket, env: dict[str, str]) -> None:
        self.node, self.code, self.bucket = node, code, bucket
        self.env = {**node.env, **env}

    def start(self, *options: str, step: str = "train", limit: int = 60, run: str = "1") -> subprocess.Popen[str]:
        arguments = ["--lake", self.bucket.address, "--run", run, "--step", step, "--time-limit", str(limit)]
        arguments += ["--deadline", "2030-01-01T00:00:00Z", "--log-every", "0.2", *options]
        if "--" not in arguments:
            arguments += ["--", "spark-submit", "--conf", "a=b", "script.py", "{x}"]
        command = [sys.executable, self.code / "step.py", *arguments]
        return subprocess.Popen(
            command, env=self.env, cwd=self.node.home, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def run(self, *options: str, step: str = "train", limit: int = 60, run: str = "1") -> tuple[int, str, str]:
        process = self.start(*options, step=step, limit=limit, run=run)
        out, err = process.communicate(timeout=180)
        return process.returncode, out, err

    def log(self, step: str = "train") -> str:
        return self.bucket.text(f"_logs/1/{step}.log")


@pytest.fixture
def step(node: Node, code: Path, bucket: Bucket, s3_env: dict[str, str]) -> Step:
    """With a spark-submit that prints, and a YARN where nothing runs."""
    node.stub("spark-submit", "echo one; echo two >&2")
    node.stub("yarn", "")
    tables = [declared.declaration(name, id="integer", may_be_empty=True) for name in ("points", "models")]
    (code / "job.json").write_text(declared.job_file("xo", {name: [] for name in NAMES}, tables))
    return Step(node, code, bucket, s3_env)


def states(record: dict[str, list[dict[str, str]]]) -> list[str]:
    return [step["state"] for step in record["steps"]]


def test_first_step_leaves_the_run_running(step: Step) -> None:
    code, out, err = step.run(step="generate")
    assert (code, out, err) == (0, "one\n", "two\n")
    record = step.bucket.record()
    assert record["state"] == "running"
    assert record["deadline"] == "2030-01-01T00:00:00.000Z"
    assert states(record) == ["succeeded", "pending"]
    assert record["tables"] == {}
    assert sorted(step.log("generate").splitlines()) == ["one", "two"]
    assert sorted(step.bucket.keys()) == ["_logs/1/generate.log", "_runs/1.json"]


def test_last_step_ends_the_run_with_the_digests(step: Step, monkeypatch: pytest.MonkeyPatch) -> None:
    import pyarrow as pa

    for name, value in step.env.items():
        if name.startswith("AWS_"):
            monkeypatch.setenv(name, value)
    oneoff.write_part(pa.table({"id": [1, 2, 3]}), f"{step.bucket.address}/points/run=1", "part")
    assert step.run(step="generate")[0] == 0
    started = step.bucket.record()["started"]
    assert step.run()[0] == 0
    record = step.bucket.record()
    assert (record["state"], record["started"]) == ("succeeded", started)
    assert states(record) == ["succeeded", "succeeded"]
    assert record["tables"]["points"] == {
        "rows": 3,
        "digest": oneoff.digest(f"{step.bucket.address}/points/run=1", ["id"])[1],
    }
    assert record["tables"]["models"] == {"rows": 0, "digest": "0" * 32}


def test_a_run_that_ended_is_not_run_again(step: Step) -> None:
    assert step.run()[0] == 0
    record, log, calls = step.bucket.record(), step.log(), step.node.calls
    code, out, err = step.run()
    assert (code, out) == (run_record.EXIT_RUN_ENDED, "")
    assert err == f"step.py: error: run 1 has ended: it succeeded at {record['ended']}; its record is kept\n"
    assert (step.bucket.record(), step.log(), step.node.calls) == (record, log, calls)


def test_an_endless_step_is_started_again_when_it_dies(step: Step) -> None:
    job = declared.job_file("xo", {name: [] for name in NAMES}, [], endless=["train"])
    (step.code / "job.json").write_text(job)
    step.node.stub(
        "spark-submit", 'echo started >> "$HOME/starts"; [ "$(wc -l < "$HOME/starts")" -gt 1 ] || kill -9 $$'
    )
    assert step.run(step="generate")[0] == 1  # that one is not
    (Path(step.env["HOME"]) / "starts").unlink()
    assert step.run(run="2")[0] == 0
    record = step.bucket.record("2")
    assert [found.get("endless") for found in record["steps"]] == [None, True]
    assert (record["state"], (Path(step.env["HOME"]) / "starts").read_text()) == ("succeeded", "started\n" * 2)


def cancel(bucket: Bucket) -> None:
    """Asks for it, as `oneoff cancel` does."""
    body = b'{"run": "1", "at": "2026-11-30T10:00:00Z"}'
    bucket.s3.put_object(Bucket=bucket.name, Key="_cancels/1.json", Body=body)


def test_a_run_that_is_to_be_cancelled_is_not_begun(step: Step) -> None:
    cancel(step.bucket)
    code, out, _ = step.run(step="generate")
    assert (code, out) == (run_record.EXIT_RUN_ENDED, "")
    record = step.bucket.record()
    assert (record["state"], record["cancelled"], states(record)) == ("failed", True, ["pending", "pending"])
    assert record["error"] == "cancelled: that was asked for at 2026-11-30T10:00:00Z"
    assert "spark-submit" not in " ".join(step.node.calls)
    assert step.run()[0] == run_record.EXIT_RUN_ENDED
    assert step.bucket.record() == record


@pytest.mark.parametrize(
    ("name", "ends", "exit_code", "reached"),
    [
        ("generate", "", run_record.EXIT_RUN_ENDED, ["succeeded", "pending"]),
        ("generate", "; exit 1", 1, ["failed", "pending"]),
        ("train", "; exit 1", 1, ["succeeded", "failed"]),
    ],
)
def test_a_step_that_ends_after_the_request_ends_a_cancelled_run(
    step: Step, name: str, ends: str, exit_code: int, reached: list[str]
) -> None:
    step.node.stub("spark-submit", "while [ ! -e go ]; do sleep 0.1; done" + ends)
    process = step.start(step=name)
    wait_for(lambda: step.node.calls)
    cancel(step.bucket)
    (step.node.home / "go").touch()
    assert process.wait(60) == exit_code
    record = step.bucket.record()
    assert (record["state"], record["cancelled"], states(record)) == ("failed", True, reached)


def test_the_last_step_that_succeeds_all_the_same_ends_a_run_that_succeeded(step: Step) -> None:
    step.node.stub("spark-submit", "while [ ! -e go ]; do sleep 0.1; done")
    process = step.start()
    wait_for(lambda: step.node.calls)
    cancel(step.bucket)
    (step.node.home / "go").touch()
    assert process.wait(60) == 0
    assert step.bucket.record()["state"] == "succeeded"


def test_spark_gets_a_tag(step: Step) -> None:
    assert step.run(run="R.1")[0] == 0
    assert step.node.calls == [
        "spark-submit --conf spark.yarn.tags=oneoff-r.1-train --conf a=b script.py {x}",
        "yarn application -list -appTags oneoff-r.1-train -appStates NEW,NEW_SAVING,SUBMITTED,ACCEPTED,RUNNING",
    ]


def test_tags_of_the_job_are_kept_and_long_ones_shortened() -> None:
    given = ["/usr/bin/spark-submit", "--conf", "spark.yarn.tags=mine", "x.py", "--conf", "other"]
    command = step_tools.with_tag(given, "ours")
    assert command[:3] == ["/usr/bin/spark-submit", "--conf", "spark.yarn.tags=ours,mine"]
    assert command[-3:] == ["x.py", "--conf", "other"]
    assert step_tools.with_tag(["hadoop", "x"], "ours") == ["hadoop", "x"]
    long = [step_tools.yarn_tag("r" * 63, "s" * 40 + end) for end in "ab"]
    assert long[0] != long[1]
    assert all(len(tag) <= 100 for tag in long)


def test_a_failure_says_why(step: Step) -> None:
    step.node.stub("spark-submit", "echo '26/01/01 INFO x: y'; echo 'ValueError: no luck' >&2; echo bye; exit 7")
    code, out, _ = step.run()
    assert code == 1
    record = step.bucket.record()
    assert record["state"] == "failed"
    assert record["error"] == 'step "train" failed (exit 7): ValueError: no luck'
    assert states(record) == ["succeeded", "failed"]
    assert "bye" in out
    assert step.log().endswith('step.py: error: step "train" failed (exit 7): ValueError: no luck\n')


def test_a_command_that_is_not_there(step: Step) -> None:
    (step.node.home / "bin" / "spark-submit").unlink()
    assert step.run()[0] == 1
    assert step.bucket.record()["error"].startswith('step "train" failed (exit 127): guard: ')


def test_the_time_limit_ends_all_that_the_step_started(step: Step) -> None:
    listed = "echo 'Total number of applications: 1'; printf 'application_17_0001\\tname\\tSPARK\\n'"
    step.node.stub("spark-submit", 'echo $$ >"$HOME/pids"; sleep 300 & echo $! >>"$HOME/pids"; echo started; wait')
    step.node.stub("yarn", f'if [ "$2" = -list ]; then {listed}; fi')
    code, _, _ = step.run(limit=1)
    assert code == 1
    assert step.bucket.record()["error"] == 'step "train" took longer than its time limit of 1 s'
    assert step.node.calls[-1] == "yarn application -kill application_17_0001"
    pids = (step.node.home / "pids").read_text().split()
    assert len(pids) == 2
    assert not [pid for pid in pids if alive(int(pid))]
    assert "started\n" in step.log()
    assert "step.py: ended application_17_0001, which was still running\n" in step.log()


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def test_the_end_of_the_cluster_is_recorded(step: Step) -> None:
    step.node.stub("spark-submit", 'echo $$ >"$HOME/pid"; echo started; sleep 300')
    process = step.start()
    wait_for(lambda: "started" in step.log())
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=180)
    assert process.returncode == 128 + signal.SIGTERM
    record = step.bucket.record()
    assert record["error"] == "ended by SIGTERM (the cluster was terminated, or the step cancelled)"
    assert states(record) == ["succeeded", "failed"]
    assert not alive(int((step.node.home / "pid").read_text()))
    assert step.log().count("ended by SIGTERM") == 1
    assert step.node.calls[-1].startswith("yarn application -list")


def test_the_log_is_there_while_the_step_runs(step: Step) -> None:
    step.node.stub("spark-submit", 'echo "[oneoff] parts 1/2"; until [ -e "$HOME/go" ]; do sleep 0.1; done; echo end')
    process = step.start()
    assert wait_for(lambda: step.log()) == "[oneoff] parts 1/2\n"
    assert step.bucket.record()["state"] == "running"
    assert states(step.bucket.record()) == ["succeeded", "running"]
    (step.node.home / "go").touch()
    out, _ = process.communicate(timeout=180)
    assert out == "[oneoff] parts 1/2\nend\n"
    assert step.log() == out


def test_a_lake_that_is_not_there(step: Step) -> None:
    step.bucket.address = "s3://not-there"
    code, _, err = step.run()
    assert code == 1
    assert "NO_SUCH_BUCKET" in err
    assert err.startswith('step.py: error: step "train" could not be run: OSError: ')
    assert not [call for call in step.node.calls if call.startswith("spark-submit")]


def test_secrets_are_files_for_as_long_as_the_step_runs(step: Step) -> None:
    path = Path(f"/dev/shm/oneoff-test-{os.getpid()}")
    step.node.stub("aws", r"""printf '%s' '"hunter2\n\"more\""'""")
    step.node.stub("spark-submit", f'stat -c %a {path}; sha256sum <{path}; exit "$(cat "$HOME/code-to-exit")"')
    for code in (0, 1):
        (step.node.home / "code-to-exit").write_text(str(code))
        step.node.home.joinpath("calls").unlink(missing_ok=True)
        run = str(code)
        result = step.run("--secret", f"test-{os.getpid()}={ARN}", step="generate", run=run)
        assert result[0] == code
        digest = subprocess.run(
            ["sha256sum"], input='hunter2\n"more"', capture_output=True, text=True, check=True
        ).stdout
        assert result[1] == f"600\n{digest}"
        assert not path.exists()
        told = "".join([*result[1:], *step.node.calls, step.bucket.text(f"_logs/{run}/generate.log")])
        assert "hunter2" not in told
        query = "--query SecretString --output json"
        assert step.node.calls[0] == f"aws secretsmanager get-secret-value --secret-id {ARN} {query}"


@pytest.mark.parametrize(
    ("aws", "reason"),
    [
        (
            "echo 'An error occurred (AccessDenied)' >&2; exit 254",
            "aws failed (exit 254): An error occurred (AccessDen",
        ),
        ("echo null", f'secret "s" is binary: {ARN} must hold text'),
    ],
)
def test_a_secret_that_cannot_be_had(step: Step, aws: str, reason: str) -> None:
    step.node.stub("aws", aws)
    assert step.run("--secret", f"s={ARN}")[0] == 1
    assert reason in step.bucket.record()["error"]
    assert not [call for call in step.node.calls if call.startswith("spark-submit")]


def test_staged_tables_are_copied_into_the_lake(step: Step) -> None:
    step.node.stub("hdfs", 'case "$*" in *-test*points) exit 1 ;; esac')
    step.node.stub("s3-dist-cp", "echo copied")
    assert step.run("--stage", "hdfs:///oneoff/1/")[0] == 0
    copies = [call for call in step.node.calls if call.startswith("s3-dist-cp")]
    assert copies == [f"s3-dist-cp --src hdfs:///oneoff/1/models --dest {step.bucket.address}/models/run=1"]
    assert [call for call in step.node.calls if " -rm " in call] == [
        "hdfs dfs -rm -r -skipTrash hdfs:///oneoff/1/models"
    ]
    assert step.bucket.record()["state"] == "succeeded"
    assert step.log().endswith("copied\n")


def test_later_steps_find_staged_tables_where_they_are(step: Step) -> None:
    step.node.stub("hdfs", "exit 0")
    assert step.run("--stage", "hdfs:///oneoff/1", step="generate")[0] == 0
    assert not [call for call in step.node.calls if call.startswith(("hdfs", "s3-dist-cp"))]


@pytest.mark.parametrize(
    ("hdfs", "copy", "reason"),
    [
        ("exit 0", "echo 'X.YException: full' >&2; exit 4", "points/run=1 failed (exit 4): X.YException: full"),
        ("exit 255", "exit 0", "HDFS did not say whether hdfs:///s/points is there (exit 255)"),
    ],
)
def test_tables_that_cannot_be_copied(step: Step, hdfs: str, copy: str, reason: str) -> None:
    step.node.stub("hdfs", hdfs)
    step.node.stub("s3-dist-cp", copy)
    assert step.run("--stage", "hdfs:///s")[0] == 1
    assert step.bucket.record()["state"] == "failed"
    assert step.bucket.record()["error"].endswith(reason)


@pytest.mark.parametrize(
    ("name", "exit_code", "cleared"),
    [("generate", 0, False), ("generate", 1, True), ("train", 0, True), ("train", 1, True)],
)
def test_scratch_goes_with_the_last_step_or_a_failure(step: Step, name: str, exit_code: int, cleared: bool) -> None:
    step.node.stub("spark-submit", f"exit {exit_code}")
    step.node.stub("aws", "")
    assert step.run("--scratch", "s3://lake/_scratch/1", step=name)[0] == exit_code
    calls = [call for call in step.node.calls if call.startswith("aws")]
    assert calls == (["aws s3 rm --recursive --only-show-errors s3://lake/_scratch/1/"] if cleared else [])


def test_scratch_that_stays_is_told_of(step: Step) -> None:
    step.node.stub("aws", "echo 'fatal error: denied' >&2; exit 1")
    assert step.run("--scratch", "s3://lake/_scratch/1")[0] == 0
    assert step.bucket.record()["state"] == "succeeded"
    told = "step.py: s3://lake/_scratch/1 could not be removed: aws failed (exit 1): fatal error: denied\n"
    assert step.log().endswith(told)


def test_a_failed_step_is_not_staged(step: Step) -> None:
    step.node.stub("spark-submit", "exit 1")
    step.node.stub("hdfs", "exit 0")
    assert step.run("--stage", "hdfs:///s")[0] == 1
    assert not [call for call in step.node.calls if call.startswith(("hdfs", "s3-dist-cp"))]


@pytest.mark.parametrize("leaves", [[], ["points"]])
def test_a_table_that_is_not_as_declared_fails_the_run(
    step: Step, monkeypatch: pytest.MonkeyPatch, leaves: list[str]
) -> None:
    """At the end of the step that leaves it, else with the record."""
    import pyarrow as pa

    for name, value in step.env.items():
        if name.startswith("AWS_"):
            monkeypatch.setenv(name, value)
    oneoff.write_part(pa.table({"other": [1]}), f"{step.bucket.address}/points/run=1", "part")
    tables = [declared.declaration("points", id="integer")]
    (step.code / "job.json").write_text(declared.job_file("xo", {"generate": leaves, "train": []}, tables))
    assert step.run(step="generate")[0] == (1 if leaves else 0)
    assert states(step.bucket.record()) == ["failed" if leaves else "succeeded", "pending"]
    if not leaves:
        assert step.run()[0] == 1
    why = 'table "points": part.parquet has no column "id" (integer); it has a column "other" (integer)'
    assert why in step.bucket.record()["error"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--step", "other"], "argument --step: 'other' is not among the job's steps generate, train"),
        (["--secret", "x"], "argument --secret: 'x' is not NAME=ARN"),
        (["--secret", "../x=arn"], "argument --secret: '../x=arn' is not NAME=ARN"),
        (["--secret", "x=name"], "argument --secret: 'x=name' is not NAME=ARN or NAME=projects/P/secrets/S/versions/V"),
        (["--lake", "gs://b", "--stage", "hdfs:///s"], "argument --stage: 'hdfs:///s' needs a --lake in S3"),
        (["--time-limit", "0"], "argument --time-limit: '0' is not a whole number of at least 1"),
        (["--run", "../x"], "argument --run: '../x' is not"),
        (["--job-file", "/none"], "argument --job-file: [Errno 2] No such file or directory: '/none'"),
        (["--job-file", "/dev/null"], "argument --job-file: Expecting value"),
    ],
)
def test_bad_arguments(step: Step, options: list[str], message: str) -> None:
    code, _, err = step.run(*options)
    assert code == 2
    assert err.startswith(f"step.py: error: {message}")
    assert step.bucket.keys() == []


def test_help(step: Step) -> None:
    code, out, _ = step.run("--help")
    assert code == 0
    assert "step.py [options] -- COMMAND ..." in out
