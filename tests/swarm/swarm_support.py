"""A Spark cluster on this machine, and archives to be run on it as a Swarm does."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
ASSETS = ROOT / "assets"
JOBS = ASSETS / "jobs"
BIN = Path(sys.executable).parent
# First in a class path, as for those who have no SPARK_CONF_DIR: the archive of classes goes by that (tests/spark).
JARS = f"{Path(find_spec('pyspark').origin).parent}/jars/*"
ORIGIN = {"version": "0", "settings": {"oneoff:rows": "1", "oneoff:token": None}, "steps": []}
DESTROYED = "the cluster was destroyed before its run ended"


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_for(what: Callable[[], Any], seconds: float = 180) -> Any:  # noqa: ANN401
    """The first true answer. Fails when there is none in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(OSError, ValueError, LookupError):
            if answer := what():
                return answer
        time.sleep(0.1)
    raise AssertionError(f"not within {seconds} s")


@dataclass(frozen=True)
class Cluster:
    """A master with one worker."""

    master: str
    ui_port: int
    env: Mapping[str, str]


@contextlib.contextmanager
def spark_cluster(folder: Path) -> Iterator[Cluster]:
    """Spark with authentication, as in the images."""
    (folder / "conf").mkdir()
    (folder / "conf" / "spark-defaults.conf").write_text(
        "spark.authenticate true\nspark.authenticate.secret hush\nspark.ui.enabled false\n"
        f"spark.driver.extraClassPath {JARS}\nspark.executor.extraClassPath {JARS}\n"
    )
    env = {
        **os.environ,
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "PYSPARK_PYTHON": sys.executable,
        "SPARK_CONF_DIR": str(folder / "conf"),
        "SPARK_DAEMON_MEMORY": "256m",
        "SPARK_DAEMON_JAVA_OPTS": "-XX:TieredStopAtLevel=1",
        "SPARK_DAEMON_CLASSPATH": JARS,
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_LOCAL_DIRS": str(folder / "local"),
        "SPARK_WORKER_DIR": str(folder / "worker"),
    }
    port, ui_port = free_port(), free_port()
    at, package = ["--host", "127.0.0.1"], "org.apache.spark.deploy"
    commands = [
        [f"{package}.master.Master", *at, "--port", str(port), "--webui-port", str(ui_port)],
        [f"{package}.worker.Worker", *at, "-c", "2", "-m", "1g", f"spark://127.0.0.1:{port}"],
    ]
    with contextlib.ExitStack() as stack:
        for command in commands:
            log = stack.enter_context((folder / f"{command[0]}.log").open("wb"))
            process = subprocess.Popen([BIN / "spark-class", *command], env=env, stdout=log, stderr=log)
            stack.callback(process.wait)
            stack.callback(process.kill)
        wait_for(lambda: workers(ui_port) == 1)
        yield Cluster(f"spark://127.0.0.1:{port}", ui_port, env)


def workers(ui_port: int) -> int:
    with urllib.request.urlopen(f"http://127.0.0.1:{ui_port}/json/", timeout=5) as answer:
        return json.load(answer)["aliveworkers"]


@dataclass
class Archive:
    """A run on a cluster, with a stage and a lake that are folders."""

    cluster: Cluster
    home: Path
    steps: list[dict[str, Any]] = field(default_factory=list)
    tables: Sequence[dict[str, Any]] = ()
    change: dict[str, Any] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)

    @property
    def lake(self) -> Path:
        return self.home / "lake"

    @property
    def secrets_file(self) -> Path:
        return self.home / "secrets.json"

    def add(self, name: str, script: Path | str, *arguments: str, **change: object) -> Archive:
        """Adds a step; script: a file, or what is in it."""
        if isinstance(script, str):
            text, script = script, self.home / f"{name}.py"
            script.write_text(text)
        self.steps.append(
            {
                "name": name,
                "script": str(script),
                "arguments": arguments,
                "files": [],
                "pyFiles": [str(JOBS / "oneoff.py")],
                "packages": [],
                "leaves": [],
                "conf": {},
                "timeLimitSeconds": 300,
                "secrets": [],
                **change,
            }
        )
        return self

    def write(self) -> Path:
        """Makes the archive, by what components/docker/run.ts makes it with."""
        quick = "-XX:TieredStopAtLevel=1"
        told = {
            "job": {
                "name": "tiny",
                "steps": self.steps,
                "tables": self.tables,
            },
            "place": {
                "run": "1",
                "lake": str(self.lake),
                "stage": str(self.home / "stage"),
                "scratch": str(self.home / "_scratch" / "1"),
                "work": str(self.home / "tmp" / "work"),
                "deadlineSeconds": 120,
                "master": self.cluster.master,
                "masterPage": f"http://127.0.0.1:{self.cluster.ui_port}",
                "origin": json.dumps(ORIGIN),
                "secretsFile": str(self.secrets_file),
                "secretsCommand": None,
                "exactRequirements": True,
                **self.change,
            },
            "conf": {
                "spark.executor.memory": "512m",
                "spark.executor.extraJavaOptions": quick,
                "spark.driver.extraJavaOptions": quick,
            },
        }
        self.secrets_file.write_text(json.dumps(self.secrets))
        path = self.home / "run.zip"
        command = ["node", ROOT / "tests" / "swarm" / "archive.ts", path]
        subprocess.run(command, input=json.dumps(told), text=True, check=True)
        return path

    def start(self, *options: str, **env: str) -> subprocess.Popen[str]:
        """Starts it."""
        temporary = self.home / "tmp"
        temporary.mkdir(exist_ok=True)
        return subprocess.Popen(
            [sys.executable, self.write(), "--log-every", "0.2", *options],
            env={**self.cluster.env, "TMPDIR": str(temporary), **env},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *options: str, **env: str) -> tuple[int, str, str]:
        """Runs it; returns exit code, output and errors."""
        process = self.start(*options, **env)
        out, err = process.communicate(timeout=120)
        return process.returncode, out, err

    def record(self) -> dict[str, Any]:
        return json.loads((self.lake / "_runs" / "1.json").read_text())

    def status(self) -> dict[str, Any]:
        return json.loads((self.lake / "_clusters" / "1" / "status.json").read_text())

    def log(self, name: str) -> str:
        return (self.lake / "_logs" / "1" / f"{name}.log").read_text()

    def left(self) -> list[str]:
        """What a run must not leave: stage, scratch, temporary files."""
        names = [
            str(path.relative_to(self.home))
            for name in ("stage", "_scratch", "tmp")
            for path in self.home.glob(f"{name}/*")
        ]
        return names + [str(path) for path in self.lake.rglob("*.tmp")]

    def processes(self) -> list[str]:
        """Command lines of what still runs of it."""
        found = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                command = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
                if str(self.home) in command:
                    found.append(f"{path.parent.name} {command}")
        return found
