"""What the tests of Dataproc's nodes and batches need beside fixtures."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import urllib.parse
import urllib.request
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from uuid import uuid4

ROOT = Path(__file__).resolve().parents[2]
ASSETS = ROOT / "assets"
DATAPROC = ASSETS / "nodes" / "dataproc"
STEPS = ASSETS / "steps"
JOBS = ASSETS / "jobs"
BIN = Path(sys.executable).parent
# First in a class path, as for those who have no SPARK_CONF_DIR: the archive of classes goes by that (tests/spark).
JARS = f"{Path(find_spec('pyspark').origin).parent}/jars/*"
MAVEN = os.environ.get("MAVEN", "https://repo1.maven.org/maven2")
# Spark reads gs:// by it, as by the one that Dataproc 2.3 has.
CONNECTOR = "com/google/cloud/bigdataoss/gcs-connector/3.1.9/gcs-connector-3.1.9-shaded.jar"
CONNECTOR_DIGEST = "c5fcafb3b1671801c9fe61dff16d946729314d495c4e03590b79e52d01d081bb"

sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "emr"), str(DATAPROC), str(STEPS), str(JOBS)]
from emr_support import Node, add_wheel, wait_for  # noqa: E402, F401 - for the tests


class Bucket:
    """A bucket of Cloud Storage on this machine."""

    def __init__(self, url: str) -> None:
        """url: of the emulator."""
        self.url = url
        self.name = f"lake-{uuid4().hex}"
        self.address = f"gs://{self.name}"
        self._ask("/storage/v1/b?project=test", json.dumps({"name": self.name}).encode())

    def _ask(self, path: str, data: bytes | None = None) -> bytes:
        request = urllib.request.Request(f"{self.url}{path}", data=data)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.read()

    def put(self, key: str, content: str | bytes) -> None:
        """Writes an object."""
        data = content.encode() if isinstance(content, str) else content
        query = urllib.parse.urlencode({"uploadType": "media", "name": key})
        self._ask(f"/upload/storage/v1/b/{self.name}/o?{query}", data or b"")

    def keys(self, prefix: str = "") -> list[str]:
        """Keys of all objects."""
        query = urllib.parse.urlencode({"prefix": prefix})
        answer = json.loads(self._ask(f"/storage/v1/b/{self.name}/o?{query}"))
        return sorted(item["name"] for item in answer.get("items", []))

    def text(self, key: str) -> str:
        """Content of an object."""
        return self._ask(f"/storage/v1/b/{self.name}/o/{urllib.parse.quote(key, safe='')}?alt=media").decode()

    def record(self, run: str = "1") -> dict[str, Any]:
        """The record of a run."""
        return json.loads(self.text(f"_runs/{run}.json"))


def connector() -> Path:
    """The jar by which Spark reads gs://, kept beside those of other tests."""
    jar = ROOT / ".oneoff" / "jars" / Path(CONNECTOR).name
    if not jar.exists():
        jar.parent.mkdir(parents=True, exist_ok=True)
        with urllib.request.urlopen(f"{MAVEN}/{CONNECTOR}", timeout=60) as response:
            content = response.read()
        assert hashlib.sha256(content).hexdigest() == CONNECTOR_DIGEST, CONNECTOR
        half = jar.with_suffix(f".{os.getpid()}")
        half.write_bytes(content)
        half.rename(jar)
    return jar


def spark_conf(folder: Path, url: str | None = None) -> Path:
    """A folder that makes SPARK_CONF_DIR: a small Spark which, with a url, finds gs:// there."""
    lines = ["spark.ui.enabled false", "spark.driver.host 127.0.0.1", "spark.sql.shuffle.partitions 4"]
    lines += ["spark.driver.memory 700m", "spark.driver.defaultJavaOptions -XX:TieredStopAtLevel=1"]
    jars = os.pathsep.join([JARS, *([str(connector())] if url else [])])
    lines += [f"spark.{whose}.extraClassPath {jars}" for whose in ("driver", "executor")]
    if url:
        gcs = {
            "fs.gs.impl": "com.google.cloud.hadoop.fs.gcs.GoogleHadoopFileSystem",
            "fs.gs.storage.root.url": f"{url}/",
            "fs.gs.auth.type": "UNAUTHENTICATED",
            "fs.gs.project.id": "test",
        }
        lines += [f"spark.hadoop.{name} {value}" for name, value in gcs.items()]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "spark-defaults.conf").write_text("\n".join(lines) + "\n")
    return folder


def node_files() -> list[Path]:
    """What lies in `node/` of the code in a lake."""
    return [
        *(file for folder in (STEPS, DATAPROC) for file in sorted(folder.iterdir()) if file.suffix in (".py", ".sh")),
        JOBS / "oneoff.py",
    ]


def jobs() -> dict[str, dict[str, Any]]:
    """Small ones, as components see them, by name."""
    program = """
        import { londonPower, xo } from "./assets/jobs/index.ts";
        import { jobFile } from "./core/job-file.ts";
        const small = [xo({ rows: 2000, hidden: [5, 10], seeds: 1 }), londonPower({ households: 8, days: 12 })];
        console.log(JSON.stringify(Object.fromEntries(
          small.map((job) => [job.name, { ...job, file: JSON.stringify(jobFile(job)) }]),
        )));
    """
    node = [str(ROOT / "node_modules/.bin/node"), "--input-type=module", "--eval", program]
    return json.loads(subprocess.check_output(node, cwd=ROOT, text=True))


def options_of(job: dict[str, Any], step: dict[str, Any], lake: str, limit: int = 300) -> list[str]:
    """What step.py is told of a step."""
    return [
        *("--lake", lake, "--run", "1", "--step", step["name"]),
        *("--deadline", "2030-01-01T00:00:00Z", "--time-limit", str(limit)),
        *("--scratch", f"{lake}/_scratch/1", "--log-every", "0.5"),
    ]


def arguments_of(job: dict[str, Any], step: dict[str, Any], lake: str) -> list[str]:
    """A step's arguments, filled in. What makes a model good is left out."""
    places = {table["name"]: f"{lake}/{table['name']}/run=1" for table in job["tables"]}
    places |= {"run": "1", "lake": lake, "scratch": f"{lake}/_scratch/1"}
    filled = [re.sub(r"\{(\w+)\}", lambda found: places[found[1]], argument) for argument in step["arguments"]]
    return [*filled, *(["--trees=4"] if step["name"] == "model" else [])]


def code_of(job: dict[str, Any]) -> dict[str, Path]:
    """Key below `_code/DIGEST` to the file that goes there."""
    keys = {f"node/{file.name}": file for file in node_files()}
    for step in job["steps"]:
        for path in map(Path, [step["script"], *step["files"], *step["pyFiles"]]):
            keys[f"steps/{step['name']}/{path.name}"] = path
    return keys


def put_code(bucket: Bucket, job: dict[str, Any]) -> str:
    """Puts the code into the lake, as components do; returns its address."""
    bucket.put("_code/1/node/job.json", job["file"].encode())
    for key, file in code_of(job).items():
        bucket.put(f"_code/1/{key}", file.read_bytes())
    return f"{bucket.address}/_code/1"


def set_up_node(root: Path, job: dict[str, Any]) -> Path:
    """What init.sh leaves on a node, with the Python that the tests run with."""
    for key, file in code_of(job).items():
        (root / "code" / key).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, root / "code" / key)
    (root / "code" / "node" / "job.json").write_text(job["file"])
    python = root / "venv" / "recorder" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    return root
