"""The archive that runs a job in a Swarm, with a real Spark: to its end, and through what may happen to it."""

from __future__ import annotations

import argparse
import hashlib
import http.server
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from swarm_support import ASSETS, DESTROYED, JOBS, ORIGIN, ROOT, Archive, Cluster, spark_cluster, wait_for

sys.path[:0] = [str(ASSETS / "driver"), str(ASSETS / "steps"), str(JOBS), str(ROOT / "tests")]
import declared  # noqa: E402
import oneoff  # noqa: E402
import run  # noqa: E402
import run_record  # noqa: E402
import run_secrets  # noqa: E402
import run_services  # noqa: E402
import run_spec  # noqa: E402
from step_runner import StepError  # noqa: E402

if sys.platform != "linux":
    pytest.skip("a Swarm is made of Linux's programs", allow_module_level=True)

SLEEPER = """
import sys, time
print("[oneoff] naps 1/3", flush=True)
time.sleep(float(sys.argv[1]))
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with spark_cluster(tmp_path_factory.mktemp("spark")) as cluster:
        yield cluster


@pytest.fixture
def archive(cluster: Cluster, tmp_path: Path) -> Archive:
    """Without any steps yet."""
    return Archive(cluster, tmp_path, tables=[declared.table("points", id="integer", may_be_empty=True)])


def states(content: dict) -> list[str]:
    return [step["state"] for step in content["steps"]]


def test_xo_has_the_digests_of_a_local_run(archive: Archive) -> None:
    archive.tables, tables = declared.tables_of("xo()")

    def steps(address: str) -> dict[str, list[str]]:
        folder = {table["name"]: f"--{table['name']}={address.replace('NAME', table['name'])}" for table in tables}
        return {
            "generate": [folder["points"], "--rows=2000"],
            "train": [*folder.values(), "--hidden=5,10", "--seeds=1", "--grid=10"],
        }

    for name, arguments in steps("{NAME}").items():
        archive.add(name, JOBS / "xo" / f"{name}.py", *arguments)
    archive.steps[0]["leaves"], archive.steps[1]["leaves"] = ["points"], ["models", "surface", "optimum"]
    code, out, err = archive.run()
    assert (code, "[oneoff] models 2/2\n" in out) == (0, True), (out, err)

    local = archive.home / "local"
    local_steps = [[str(JOBS / "xo" / f"{name}.py"), *given] for name, given in steps(f"{local}/NAME/run=1").items()]
    command = [sys.executable, ROOT / "tests" / "spark" / "run_steps.py", json.dumps(local_steps)]
    env = {**os.environ, "PYSPARK_PYTHON": sys.executable, "PYTHONPATH": str(JOBS)}
    subprocess.run(command, env=env, capture_output=True, check=True)
    record, status = archive.record(), archive.status()
    assert (record["state"], states(record)) == ("succeeded", ["succeeded"] * 2)
    assert record["origin"] == ORIGIN
    for table in tables:
        columns = [column["name"] for column in table["columns"] if not column["measured"]]
        rows, digest = oneoff.digest(f"{local}/{table['name']}/run=1", columns)
        assert rows > 0
        assert record["tables"][table["name"]] == {"rows": rows, "digest": digest}
    assert {key: status[key] for key in ("run", "job", "state", "started", "deadline", "ended")} == {
        key: record[key] for key in ("run", "job", "state", "started", "deadline", "ended")
    }
    assert [step["progress"] for step in status["steps"]] == [
        {"what": "parts", "done": 2, "total": 2},
        {"what": "models", "done": 2, "total": 2},
    ]
    assert all(step["started"] < step["ended"] for step in status["steps"])
    assert "[oneoff] models 2/2\n" in archive.log("train")
    assert "part files" in archive.log("generate")
    assert sorted(path.name for path in archive.lake.iterdir()) == [
        *("_clusters", "_logs", "_runs"),
        *sorted(table["name"] for table in tables),
    ]
    assert (archive.left(), archive.processes()) == ([], [])


MODULE = "def answer():\n    return 42\n"
READER = """
import sys
from pathlib import Path
import oneoff
from pyspark.sql import SparkSession
run, lake, scratch, secret, points = sys.argv[1:]
assert run == "1" and lake.endswith("lake") and Path(secret).read_text() == "hush!"
Path(scratch, "kept").mkdir()
spark = SparkSession.builder.getOrCreate()
assert spark.conf.get("spark.driver.host") == "127.0.0.1"
def task(number):
    import oneoff_test_module
    return number, oneoff_test_module.answer()
rows = spark.sparkContext.parallelize([1, 2], 2).map(task).toDF(["id", "answer"])
rows.write.partitionBy("answer").parquet(points)
import oneoff_test_module
"""


def wheel(folder: Path) -> tuple[Path, str]:
    """A package that no image has, and its digest."""
    path = folder / "oneoff_test_module-1.0-py3-none-any.whl"
    info = "oneoff_test_module-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("oneoff_test_module.py", MODULE)
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: oneoff-test-module\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return path, hashlib.sha256(path.read_bytes()).hexdigest()


def test_what_a_step_asks_for_reaches_driver_and_executors(archive: Archive) -> None:
    path, digest = wheel(archive.home)
    requirements = archive.home / "requirements.txt"
    requirements.write_text(f"oneoff-test-module==1.0 \\\n    --hash=sha256:{digest}\n")
    archive.secrets = {"token": "hush!"}
    archive.tables = [
        {**declared.table("points", id="integer", answer="integer"), "partitions": ["answer"]},
    ]
    arguments = ["{run}", "{lake}", "{scratch}", "{secret:token}", "{points}"]
    archive.add("read", READER, *arguments, requirements=str(requirements), secrets=["token"])
    code, _, err = archive.run(PIP_NO_INDEX="1", PIP_FIND_LINKS=str(path.parent))
    assert code == 0, err
    assert archive.record()["tables"]["points"]["rows"] == 2
    assert [path.name for path in (archive.lake / "points" / "run=1").iterdir()] == ["answer=42"]
    assert archive.left() == []


SECRETS = """
import os, sys
from pathlib import Path
token, lake = map(Path, sys.argv[1:])
assert token.read_bytes() == " hüsh!\\r\\n".encode() and lake.read_bytes() == b"[default]\\n"
assert [path.stat().st_mode & 0o777 for path in (token, lake, token.parent)] == [0o600, 0o600, 0o700]
assert sorted(path.name for path in token.parent.iterdir()) == ["lake-credentials", "token"]
assert os.environ["AWS_SHARED_CREDENTIALS_FILE"] == os.environ["GOOGLE_APPLICATION_CREDENTIALS"] == str(lake)
raise ValueError("that was all")
"""


def test_secrets_are_files_while_the_run_lasts(archive: Archive) -> None:
    archive.secrets = {"token": " hüsh!\r\n", "lake-credentials": "[default]\n"}
    archive.add("read", SECRETS, "{secret:token}", "{secret:lake-credentials}")
    assert archive.run(AWS_SHARED_CREDENTIALS_FILE="/none")[0] == 1
    assert archive.record()["error"] == 'step "read" failed (exit 1): ValueError: that was all'
    assert archive.left() == []


@pytest.mark.parametrize("secrets", [{"lake-credentials": "[default]\n"}, {"token": "hush!"}])
def test_the_lake_is_opened_before_it_is_used(
    secrets: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "GOOGLE_APPLICATION_CREDENTIALS"):
        monkeypatch.setenv(name, "/none")
    seen = []

    def record(*_: object, **__: object) -> None:
        seen.append((os.environ["AWS_SHARED_CREDENTIALS_FILE"], os.environ["GOOGLE_APPLICATION_CREDENTIALS"]))
        raise run_record.RunEndedError("1", {"state": "failed", "ended": "2026-11-30T10:00:00Z"})

    monkeypatch.setattr(run_record, "record", record)
    monkeypatch.setattr(oneoff, "put", record)
    (tmp_path / "secrets").write_text(json.dumps(secrets))
    spec = run_spec.RunSpec(
        **{"run": "1", "job": "tiny", "lake": "s3://lake", "stage": None, "scratch": "s3://lake/_scratch/1"},
        **{"work": str(tmp_path / "work"), "deadline_seconds": 60, "master": "local", "master_page": None},
        **{
            "steps": [],
            "tables": [],
            "origin": None,
            "secrets_file": str(tmp_path / "secrets"),
            "secrets_command": None,
            "exact_requirements": True,
        },
    )
    (tmp_path / "work").mkdir()
    with pytest.raises(run_record.RunEndedError):
        run.Run(spec, argparse.Namespace()).run()
    path = str(tmp_path / "work" / "secrets" / "lake-credentials") if "lake-credentials" in secrets else "/none"
    assert seen == [(path, path)]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "[Errno 2] No such file or directory: '{file}'"),
        ('{"token": "hush!"', "{file} is no JSON object of text values"),
        ('["hush!"]', "{file} is no JSON object of text values"),
        ('{"token": 1}', "{file} is no JSON object of text values"),
    ],
)
def test_secrets_that_cannot_be_read(archive: Archive, content: str | None, why: str) -> None:
    file = archive.home / "given"
    if content is not None:
        file.write_text(content)
    archive.change["secretsFile"] = str(file)
    archive.add("nap", SLEEPER, "0")
    code, _, err = archive.run()
    why = f"the run's secrets could not be read: {why.format(file=file)}"
    assert (code, err) == (1, f"run.py: error: {why}\n")
    for content in (archive.record(), archive.status()):
        assert (content["state"], content["error"], states(content)) == ("failed", why, ["pending"])
    assert archive.left() == []


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("import sys; sys.exit('get-parameter ended with 254')", "get-parameter ended with 254"),
        ("import sys; sys.exit(3)", "exit 3"),
        ("print('hush!')", "python is no JSON object of text values"),
    ],
)
def test_secrets_that_a_program_does_not_print(tmp_path: Path, code: str, why: str) -> None:
    python = tmp_path / "python"
    python.symlink_to(sys.executable)
    with pytest.raises(StepError, match=f"^the run's secrets could not be read: {why}$"):
        run_secrets.write_secrets(run_secrets.printed_secrets([str(python), "-c", code]), tmp_path / "secrets")


def test_secrets_that_a_program_prints_are_in_memory_where_systemd_gives_some(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = [sys.executable, "-c", 'print(\'{"token": "hush\\\\n"}\')']
    memory = tmp_path / "memory"
    memory.mkdir()
    for folder, real in (("one", tmp_path / "one"), ("two", memory)):
        run_secrets.write_secrets(run_secrets.printed_secrets(command), tmp_path / folder)
        file = tmp_path / folder / "token"
        assert (file.read_text(), file.stat().st_mode & 0o777, file.resolve().parent) == ("hush\n", 0o600, real)
        monkeypatch.setenv("RUNTIME_DIRECTORY", str(memory))


def test_without_secrets_and_lake_both_are_told(archive: Archive) -> None:
    archive.change["secretsFile"] = str(archive.home / "none")
    archive.lake.write_text("a file")
    archive.add("nap", SLEEPER, "0")
    code, _, err = archive.run()
    assert code == 1
    assert "run.py: error: the run's secrets could not be read: " in err
    assert "run.py: error: the run's record could not be written: " in err
    assert "Traceback" not in err


def test_without_a_stage_steps_write_into_the_lake(archive: Archive) -> None:
    archive.change["stage"] = None
    archive.change["scratch"] = str(archive.lake / "_scratch" / "1")
    text = "import sys, pyarrow, oneoff; oneoff.write_part(pyarrow.table({'id': [1]}), sys.argv[1], 'part')"
    archive.add("write", text, "{points}")
    assert archive.run()[0] == 0
    assert archive.record()["tables"]["points"]["rows"] == 1
    assert not (archive.lake / "_scratch").exists()


WRITE_AND_FAIL = """
import sys, pyarrow, oneoff
oneoff.write_part(pyarrow.table({"id": [1]}), sys.argv[1], "part")
oneoff.put(sys.argv[2] + "/x", b"x")
if len(sys.argv) > 3: raise ValueError("no luck")
"""


def test_a_failure_says_why_and_what_finished_steps_wrote_is_kept(archive: Archive) -> None:
    archive.tables = [declared.table(name, id="integer") for name in ("points", "models")]
    archive.add("first", WRITE_AND_FAIL, "{points}", "{scratch}")
    archive.add("second", WRITE_AND_FAIL, "{models}", "{scratch}", "fail")
    archive.add("third", SLEEPER, "1")
    assert archive.run()[0] == 1
    why = 'step "second" failed (exit 1): ValueError: no luck'
    for content in (archive.record(), archive.status()):
        assert (content["state"], content["error"]) == ("failed", why)
        assert states(content) == ["succeeded", "failed", "pending"]
    assert archive.log("second").endswith(f"run.py: error: {why}\n")
    assert (archive.lake / "points" / "run=1" / "part.parquet").exists()
    assert not (archive.lake / "models").exists()
    assert archive.left() == []


WRITE_TEXT = """
import sys, pyarrow, oneoff
oneoff.write_part(pyarrow.table({"id": ["one"], "more": [1.5]}), sys.argv[1], "part")
"""


def test_what_a_step_left_is_looked_at_when_it_ends(archive: Archive) -> None:
    archive.tables = [declared.table("points", id="integer"), declared.table("models", id="integer", may_be_empty=True)]
    archive.add("first", SLEEPER, "0", leaves=["models"])
    archive.add("second", WRITE_TEXT, "{points}", leaves=["points"])
    archive.add("third", SLEEPER, "1")
    assert archive.run()[0] == 1
    why = (
        'step "second": table "points": part.parquet has column "id" as string, declared integer; it has a column '
        '"more" (double) that is not declared: have the step write what the job declares, or declare what it writes'
    )
    record = archive.record()
    assert (record["state"], record["error"], record["tables"]) == ("failed", why, {})
    assert states(record) == ["succeeded", "failed", "pending"]
    assert archive.log("first").endswith('run.py: table "models" has no rows, which it is declared to be able to\n')
    assert (archive.lake / "points" / "run=1" / "part.parquet").exists()  # to be looked at


def test_a_table_that_no_step_leaves_is_missed_at_the_end(archive: Archive) -> None:
    archive.tables = [declared.table("points", id="integer")]
    archive.add("nap", SLEEPER, "0")
    assert archive.run()[0] == 1
    assert archive.record()["error"] == (
        'the steps ran, but their tables could not be recorded: table "points" is missing: there is no Parquet file '
        f"below {archive.lake}/points/run=1; have the step write it, or declare that it mayBeEmpty"
    )


@pytest.mark.parametrize(
    ("limit", "deadline", "why"),
    [
        (2, 60, 'step "nap" took longer than its time limit of 2 s'),
        (60, 4, "the deadline of 4 s has passed"),
    ],
)
def test_time_is_up(archive: Archive, limit: int, deadline: int, why: str) -> None:
    archive.change["deadlineSeconds"] = deadline
    archive.add("nap", SLEEPER, "300", timeLimitSeconds=limit)
    assert archive.run()[0] == 1
    assert archive.record()["error"] == why
    assert states(archive.status()) == ["failed"]
    assert (archive.left(), archive.processes()) == ([], [])


def test_sigterm_ends_the_run_soon(archive: Archive) -> None:
    archive.secrets = {"token": "hush!"}
    archive.add("nap", SLEEPER, "300")
    process = archive.start()
    progress = {"what": "naps", "done": 1, "total": 3}
    wait_for(lambda: archive.status()["steps"][0].get("progress") == progress)
    assert archive.record()["state"] == "running"
    started = time.monotonic()
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=180)
    assert time.monotonic() - started < 10
    assert process.returncode == 128 + signal.SIGTERM
    for content in (archive.record(), archive.status()):
        assert (content["state"], content["error"], states(content)) == ("failed", DESTROYED, ["failed"])
    assert archive.log("nap").count(DESTROYED) == 1
    assert (archive.left(), archive.processes()) == ([], [])


CANCELLED = "cancelled: that was asked for at 2026-11-30T10:00:00Z"


def cancel(archive: Archive) -> None:
    """Asks for it, as `oneoff cancel` does."""
    (archive.lake / "_cancels").mkdir(parents=True, exist_ok=True)
    (archive.lake / "_cancels" / "1.json").write_text('{"run": "1", "at": "2026-11-30T10:00:00Z"}')


def assert_cancelled(archive: Archive, *reached: str) -> None:
    for content in (archive.record(), archive.status()):
        assert (content["state"], content["cancelled"], content["error"]) == ("failed", True, CANCELLED)
        assert states(content) == list(reached)
    assert (archive.left(), archive.processes()) == ([], [])


def test_a_run_that_is_to_be_cancelled_ends_soon_and_is_not_begun_again(archive: Archive) -> None:
    archive.add("nap", SLEEPER, "300").add("more", SLEEPER, "0")
    process = archive.start()
    wait_for(lambda: archive.status()["steps"][0].get("progress"))
    started = time.monotonic()
    cancel(archive)
    process.communicate(timeout=180)
    assert time.monotonic() - started < 10
    assert process.returncode == 128 + signal.SIGTERM
    assert_cancelled(archive, "failed", "pending")
    assert archive.log("nap").count(f"run.py: {CANCELLED}\n") == 1
    record = archive.record()
    code, _, err = archive.run()
    assert (code, f"run 1 has ended: it was cancelled at {record['ended']}" in err) == (0, True)
    assert archive.record() == record


def test_a_run_that_is_to_be_cancelled_before_it_begins_never_does(archive: Archive) -> None:
    archive.add("nap", SLEEPER, "0")
    cancel(archive)
    assert archive.run()[0] == 128 + signal.SIGTERM
    assert_cancelled(archive, "pending")
    assert not (archive.lake / "_logs").exists()


ASKER = """
import json, sys
from pathlib import Path
Path(sys.argv[1]).mkdir()
Path(sys.argv[1], "1.json").write_text(json.dumps({"run": "1", "at": "2026-11-30T10:00:00Z"}))
"""


def test_no_step_is_begun_after_the_request(archive: Archive) -> None:
    archive.add("ask", ASKER, str(archive.lake / "_cancels")).add("more", SLEEPER, "300")
    assert archive.run()[0] == 128 + signal.SIGTERM
    # It may have ended before anybody looked.
    assert_cancelled(archive, archive.record()["steps"][0]["state"], "pending")


ENDLESS = """
import os, signal, sys, time
from pathlib import Path
starts, asked = Path(sys.argv[1]), Path(sys.argv[2])
with starts.open("a") as file:
    file.write("started\\n")
if len(starts.read_text().splitlines()) == 1:
    os.kill(os.getpid(), signal.SIGKILL)
while not asked.exists():
    time.sleep(0.1)
print("ends")
"""


def test_an_endless_step_is_started_again_when_it_dies_and_ends_the_run_well_when_it_is_asked(archive: Archive) -> None:
    starts = archive.home / "starts"
    archive.add("stream", ENDLESS, str(starts), str(archive.lake / "_cancels" / "1.json"), endless=True)
    process = archive.start()
    wait_for(lambda: starts.exists() and starts.read_text().count("started") == 2)
    cancel(archive)
    assert (process.wait(60), archive.log("stream").count("it is started again")) == (0, 1)
    for content in (archive.record(), archive.status()):
        (step,) = content["steps"]
        assert (content["state"], step["state"], step["endless"]) == ("succeeded", "succeeded", True)


def test_an_endless_step_ends_well_when_its_container_is_ended(archive: Archive) -> None:
    starts = archive.home / "starts"
    starts.write_text("before\n")
    archive.add("stream", ENDLESS, str(starts), str(archive.lake / "_cancels" / "1.json"), endless=True)
    process = archive.start("--sigterm-asks")
    wait_for(lambda: "started" in starts.read_text())
    process.terminate()
    assert (process.wait(60), archive.record()["state"]) == (0, "succeeded")


def test_an_endless_step_that_is_told_nonsense_fails_at_once(archive: Archive) -> None:
    archive.add("stream", "import sys\nsys.exit(2)", endless=True)
    assert archive.run()[0] == 1
    assert archive.record()["error"].startswith('step "stream" failed (exit 2)')


def test_a_driver_that_is_killed_fails_the_run(archive: Archive) -> None:
    archive.add("nap", SLEEPER, "300")
    process = archive.start()
    wait_for(lambda: archive.status()["steps"][0].get("progress"))
    (driver,) = [line.split()[0] for line in archive.processes() if "org.apache.spark.deploy.SparkSubmit" in line]
    os.kill(int(driver), signal.SIGKILL)
    process.communicate(timeout=180)
    assert process.returncode == 1
    why = (
        'step "nap" failed (exit 137): it was killed; it may have taken more memory than there is, '
        "then give the driver more (oneoff:driverMemory): "
    )
    assert archive.record()["error"].startswith(why)
    assert (archive.left(), archive.processes()) == ([], [])


def test_a_run_that_ended_is_not_run_again(archive: Archive) -> None:
    archive.add("nap", SLEEPER, "0")
    ended = run_record.record(str(archive.lake), "1", "tiny", "failed", error="no luck")
    code, out, err = archive.run()
    assert (code, out) == (0, "")
    assert err == f"run.py: run 1 has ended: it failed at {ended['ended']}; its record is kept; nothing is run\n"
    assert archive.record() == ended
    assert [path.name for path in archive.lake.iterdir()] == ["_runs"]


def test_a_run_that_was_interrupted_fails(archive: Archive) -> None:
    archive.add("nap", SLEEPER, "0")
    started = run_record.record(str(archive.lake), "1", "tiny", "running")["started"]
    time.sleep(0.01)
    assert archive.run()[0] == 1
    for content in (archive.record(), archive.status()):
        assert content["started"] == started
        assert content["error"] == "its container was killed, or the machine restarted, before the run ended"
        assert states(content) == ["pending"]


def test_a_lake_that_is_not_there(archive: Archive) -> None:
    archive.lake.write_text("a file")
    archive.add("nap", SLEEPER, "0")
    code, _, err = archive.run()
    assert code == 1
    assert "run.py: error: the run broke off: " in err
    assert "run.py: error: the run's record could not be written: " in err
    assert "Traceback" not in err


class Pages(http.server.BaseHTTPRequestHandler):
    """Answers what `pages` says by path; keeps still."""

    pages: dict[str, object]

    def do_GET(self) -> None:
        page = self.pages.get(self.path.partition("&")[0])
        self.send_response(200 if page is not None else 404)
        self.end_headers()
        self.wfile.write(json.dumps(page).encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def service() -> Iterator[tuple[int, dict[str, object]]]:
    """A service of HTTP: its port, and its pages by path."""
    pages: dict[str, object] = {}
    handler = type("Handler", (Pages,), {"pages": pages})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1], pages
        server.shutdown()


def test_no_worker(archive: Archive, service: tuple[int, dict[str, object]]) -> None:
    port, pages = service
    pages["/json/"] = {"aliveworkers": 0, "workers": []}
    archive.change.update(master=f"spark://127.0.0.1:{port}", masterPage=f"http://127.0.0.1:{port}")
    archive.add("nap", SLEEPER, "0")
    process = archive.start("--patience", "2")
    reason = f"no worker registered with spark://127.0.0.1:{port}"
    assert wait_for(lambda: archive.status().get("cluster")) == {"state": "waiting", "reason": reason}
    _, err = process.communicate(timeout=180)
    assert process.returncode == 1
    assert archive.record()["error"] == f"{reason} within 2 s"
    assert err.splitlines()[0] == f"run.py: waiting: {reason}"
    status = archive.status()
    assert (states(status), "cluster" in status) == (["pending"], False)


def test_what_spark_lacks(service: tuple[int, dict[str, object]]) -> None:
    port, pages = service
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        nobody, page = f"spark://127.0.0.1:{deaf.getsockname()[1]}", f"http://127.0.0.1:{port}"
        assert run_services.missing_of_spark(nobody, page) == f"{nobody} did not answer"
    master = f"spark://127.0.0.1:{port}"
    assert run_services.missing_of_spark(master, page) == f"http://127.0.0.1:{port}/json/ did not answer"
    pages["/json/"] = {"aliveworkers": 1}
    assert run_services.missing_of_spark(master, page) is None
    assert run_services.address_towards(master) == "127.0.0.1"


def test_what_yarn_lacks(service: tuple[int, dict[str, object]]) -> None:
    port, pages = service
    page = f"http://127.0.0.1:{port}"
    metrics = "/ws/v1/cluster/metrics"
    assert run_services.missing_of_spark("yarn", page) == f"{page}{metrics} (YARN) did not answer"
    pages[metrics] = {"clusterMetrics": {"activeNodes": 1, "totalMB": 0}}  # which goes
    assert run_services.missing_of_spark("yarn", page) == f"no node registered with {page} (YARN)"
    pages[metrics] = {"clusterMetrics": {"activeNodes": 2, "totalMB": 4096}}
    assert run_services.missing_of_spark("yarn", page) is None


def test_what_hdfs_lacks(service: tuple[int, dict[str, object]]) -> None:
    port, pages = service
    stage = f"webhdfs://127.0.0.1:{port}/runs/1"
    assert run_services.missing_of_hdfs(stage) == f"http://127.0.0.1:{port} (HDFS) did not answer"
    pages["/webhdfs/v1/?op=LISTSTATUS"] = {"FileStatuses": {"FileStatus": []}}
    nobody = f"no datanode registered with http://127.0.0.1:{port} (HDFS)"
    assert run_services.missing_of_hdfs(stage) == nobody
    beans = "/jmx?qry=Hadoop:service=NameNode,name=FSNamesystemState"
    pages[beans] = {"beans": [{"NumLiveDataNodes": 0}]}
    assert run_services.missing_of_hdfs(stage) == nobody
    pages[beans] = {"beans": [{"NumLiveDataNodes": 2}]}
    assert run_services.missing_of_hdfs(stage) is None


@pytest.mark.parametrize(("options", "code"), [(["--help"], 0), (["--patience", "0"], 2)])
def test_command_line(archive: Archive, options: list[str], code: int) -> None:
    assert archive.run(*options)[0] == code
    assert not archive.lake.exists()
