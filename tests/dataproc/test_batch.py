"""batch.py started by a real spark-submit, as in a serverless batch, with steps that use the batch's own Spark.

Where the step uses none, batch.py is started by Python: that takes no JVM.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import zipfile
from base64 import b64encode
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from dataproc_support import BIN, DATAPROC, STEPS, Bucket, node_files, spark_conf, wait_for

import batch  # isort: skip
import declared  # isort: skip

pytest_plugins = "dataproc_fixtures"

VERSION = "projects/p/secrets/s/versions/1"
MODULE = str(STEPS / "google_cloud.py")
SUBMIT = ("spark-submit", "--py-files", MODULE)
PLAIN = (sys.executable,)


class Batch:
    """One batch, in a folder of its own, of the script `step.py` of step x."""

    def __init__(self, lake: Bucket, folder: Path, env: dict[str, str]) -> None:
        self.lake, self.folder = lake, folder / "container"
        self.folder.mkdir()
        self.env = {**os.environ, **env, "PATH": f"{BIN}:{os.environ['PATH']}", "PYSPARK_PYTHON": sys.executable}
        self.env |= {"SPARK_CONF_DIR": str(spark_conf(folder / "conf")), "TMPDIR": str(folder / "tmp")}
        (folder / "tmp").mkdir()
        for file in node_files():
            lake.put(f"_code/1/node/{file.name}", file.read_bytes())
        lake.put("_code/1/node/job.json", declared.job_file("j", {"x": []}, []).encode())

    def script(self, text: str) -> None:
        self.lake.put("_code/1/steps/x/script.py", textwrap.dedent(text))

    def archive(self, name: str, **modules: str) -> Path:
        """Puts an archive of modules into the lake; it is the same in the folder above."""
        path = self.folder.parent / f"{name}.zip"
        with zipfile.ZipFile(path, "w") as opened:
            for module, text in modules.items():
                opened.writestr(f"{module}/__init__.py", text)
        self.lake.put(f"_wheels/{name}/packages.zip", path.read_bytes())
        return path

    def packages(self, *names: str) -> list[str]:
        return [f"--packages={self.lake.address}/_wheels/{name}/packages.zip" for name in names]

    def start(
        self,
        *own: str,
        command: tuple[str, ...] = (*SUBMIT, "--master", "local[2]"),
        limit: int = 100,
        arguments: tuple[str, ...] = (),
    ) -> subprocess.Popen[str]:
        options = ["--code", f"{self.lake.address}/_code/1", *own, "--lake", self.lake.address, "--run=1"]
        options += ["--step=x", f"--time-limit={limit}", "--log-every=0.2"]
        return subprocess.Popen(
            [*command, str(DATAPROC / "batch.py"), *options, "--", "steps/x/script.py", *arguments],
            env=self.env if command != PLAIN else self.env | {"PYTHONPATH": str(STEPS)},
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *own: str, **settings: object) -> tuple[int, str]:
        process = self.start(*own, **settings)  # type: ignore[arg-type]
        out, _ = process.communicate(timeout=180)
        return process.returncode, out

    def log(self) -> str:
        return self.lake.text("_logs/1/x.log")


@pytest.fixture
def container(lake: Bucket, tmp_path: Path, gcs_env: dict[str, str]) -> Batch:
    return Batch(lake, tmp_path, gcs_env)


# Whose Spark it is, is told by the JVM: it must be the one that runs batch.py.
USES_PACKAGES = """
    import sys
    from demo import answer
    from other import name
    from pyspark import SparkContext

    def task(_):
        import demo
        return demo.answer, demo.__file__

    with SparkContext(appName="x") as spark:
        command = spark._jvm.java.lang.System.getProperty("sun.java.command")
        print("JVM of batch.py:", "batch.py" in command)
        print("driver:", answer, name, *sys.argv[1:])
        print("executors:", spark.parallelize([1, 2], 2).map(task).collect())
"""


def test_packages_are_importable_on_the_driver_and_on_executors(container: Batch) -> None:
    archive = container.archive("w", demo="answer = 42", both="")
    container.archive("recorder", other="name = 'recorder'", demo="answer = 0")
    container.script(USES_PACKAGES)
    # One executor in a process and a folder of its own.
    spark = (*SUBMIT, "--master", "local-cluster[1,2,700]", "--conf", "spark.executor.memory=700m")
    spark += ("--archives", f"{archive}#packages", "--conf", "spark.executorEnv.PYTHONPATH=./packages")
    container.env["SPARK_HOME"] = str(next(BIN.parent.glob("lib/python3*/site-packages/pyspark")))
    code, out = container.run(*container.packages("w", "recorder"), command=spark, arguments=("--", "{a b}"))
    assert code == 0, out
    log = container.log()
    assert "JVM of batch.py: True\n" in log
    assert "driver: 42 recorder -- {a b}\n" in log
    executors = next(line for line in log.splitlines() if line.startswith("executors: "))
    assert executors.count("/packages/demo/__init__.py") == executors.count("(42, ") == 2
    assert container.lake.record()["state"] == "succeeded"
    assert list((container.folder.parent / "tmp").glob("oneoff-*")) == []


def test_what_the_runtime_has_unpacked_is_not_fetched(container: Batch) -> None:
    demo = container.folder / "packages" / "demo"
    demo.mkdir(parents=True)
    (demo / "__init__.py").write_text("answer = 7")
    container.script("import demo; print(demo.answer, demo.__file__)")
    code, out = container.run("--packages=gs://not-there/packages.zip", command=PLAIN)
    assert code == 0, out
    assert container.log() == f"7 {demo}/__init__.py\n"


def test_the_time_limit_ends_the_batch(container: Batch) -> None:
    container.lake.put("_code/1/steps/x/oneoff.py", (STEPS.parent / "jobs" / "oneoff.py").read_bytes())
    # Two tasks, which hold all that Spark has, and threads of the JVM's that are left alone. It prints first: where the
    # machine is busy, the time may be over before Spark is there.
    container.script("""
        import oneoff
        oneoff.progress("parts", 1, 2)
        import time
        from pyspark import SparkContext
        SparkContext(appName="x").parallelize([1, 2], 2).map(lambda _: time.sleep(300)).collect()
    """)
    code, out = container.run(limit=12)
    assert code == 1, out
    assert container.lake.record()["error"] == 'step "x" took longer than its time limit of 12 s'
    assert container.log().startswith("[oneoff] parts 1/2\n")


def test_the_end_of_the_batch_is_the_end_of_the_step(container: Batch) -> None:
    container.lake.put("_code/1/steps/x/oneoff.py", (STEPS.parent / "jobs" / "oneoff.py").read_bytes())
    container.script("""
        import time
        from pyspark import SparkContext
        import oneoff
        spark = SparkContext(appName="x")
        oneoff.progress("parts", 1, 2)
        time.sleep(300)
    """)
    process = container.start()
    wait_for(lambda: "[oneoff] parts 1/2" in container.log())
    assert container.lake.record()["state"] == "running"
    process.send_signal(signal.SIGTERM)  # the JVM alone, as its Python is another process
    process.communicate(timeout=120)
    ended = wait_for(lambda: container.lake.record()["state"] != "running" and container.lake.record())
    assert (ended["state"], ended["error"][:16]) == ("failed", "ended by SIGTERM")


def test_a_failure_says_why(container: Batch) -> None:
    container.script("""
        from pyspark import SparkContext
        SparkContext(appName="x").parallelize([1], 1).map(lambda _: 1 / 0).collect()
    """)
    code, out = container.run()
    assert code == 1, out
    record = container.lake.record()
    assert record["state"] == "failed"
    assert record["error"].startswith('step "x" failed (exit 1): ')
    assert "ZeroDivisionError: division by zero" in container.log()


def test_a_secret_is_a_file(container: Batch) -> None:
    class Secrets(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == f"/v1/{VERSION}:access" else 404)
            self.end_headers()
            self.wfile.write(json.dumps({"payload": {"data": b64encode(b"hunter2").decode()}}).encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Secrets)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    container.env["CLOUDSDK_API_ENDPOINT_OVERRIDES_SECRETMANAGER"] = f"http://127.0.0.1:{server.server_port}"
    name = f"test-{os.getpid()}"
    path = Path(f"/dev/shm/oneoff-{name}")
    container.script("import sys, pathlib; print(len(pathlib.Path(sys.argv[1]).read_text()))")
    code, out = container.run("--secret", f"{name}={VERSION}", command=PLAIN, arguments=(str(path),))
    server.shutdown()
    server.server_close()
    assert code == 0, out
    assert container.log() == "7\n"
    assert not path.exists()
    assert "hunter2" not in out


@pytest.mark.parametrize(
    ("own", "reason"),
    [
        (["--code=gs://LAKE/_code/2"], "gs://LAKE/_code/2 has no files"),
        (["--packages=gs://LAKE/none.zip"], "404 Not Found"),
        (["--packages=gs://LAKE/_code/1/steps/x/script.py"], "File is not a zip file"),
    ],
)
def test_code_that_cannot_be_had(container: Batch, own: list[str], reason: str) -> None:
    container.script("pass")
    code, out = container.run(*(option.replace("LAKE", container.lake.name) for option in own), command=PLAIN)
    assert code == 1
    line = next(
        line for line in out.splitlines() if line.startswith("batch.py: error: the step's code could not be had: ")
    )
    assert line.endswith(reason.replace("LAKE", container.lake.name))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--code=gs://b/c", "--lake=x"], "there is no script after --"),
        (["--code=gs://b/c", "--"], "there is no script after --"),
        (["--", "x.py"], "the following arguments are required: --code"),
    ],
)
def test_bad_arguments(arguments: list[str], message: str, capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit, match="2"):
        batch.parse(arguments)
    assert capsys.readouterr().err.endswith(f"batch.py: error: {message}\n")
