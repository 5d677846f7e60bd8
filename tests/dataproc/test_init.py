"""init.sh with a real Python environment and a real Cloud Storage, and stubs for gcloud and the other Pythons."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from dataproc_support import DATAPROC, STEPS, Bucket, Node, add_wheel, node_files

pytest_plugins = ("dataproc_fixtures", "emr_fixtures")

# What `gcloud storage rsync` and `gsutil rsync` do: FROM and TO are the last arguments.
RSYNC = f"""
exec env PYTHONPATH={STEPS} {sys.executable} - "${{@: -2}}" <<'PROGRAM'
import sys
from pathlib import Path
import google_cloud
try:
    google_cloud.fetch_folder(sys.argv[1], Path(sys.argv[2]))
except google_cloud.GoogleError as problem:
    if "has no files" not in str(problem):
        raise
PROGRAM
"""


class Machine(Node):
    """A node of a cluster before its initialization action."""

    attributes: dict[str, str]
    metadata: str

    @property
    def root(self) -> Path:
        return self.home / "oneoff"

    def init(self, **env: str) -> subprocess.CompletedProcess[str]:
        settings = {
            "ONEOFF_ROOT": str(self.root),
            "GCE_METADATA_HOST": self.metadata,
            "ONEOFF_PYTHONS": "python3.11",
            "ONEOFF_PATIENCE": "0",
        }
        return self.run("bash", DATAPROC / "init.sh", **{**settings, **env})

    def python(self, name: str, program: str) -> str:
        return subprocess.check_output([self.root / "venv" / name / "bin" / "python", "-c", program], text=True).strip()


@pytest.fixture
def machine(node: Node, lake: Bucket, gcs_env: dict[str, str]) -> Iterator[Machine]:
    """With code and wheels in its bucket, and attributes that say so."""
    machine = Machine(node.home, {**node.env, **gcs_env})
    for file in node_files():
        lake.put(f"_code/1/node/{file.name}", file.read_bytes())
    lake.put("_code/1/steps/train/train.py", "pass\n")
    add_wheel(node.home / "wheels")
    for file in (node.home / "wheels").iterdir():
        lake.put(f"_wheels/2/{file.name}", file.read_bytes())
    lake.put("_wheels/2/staged.json", "{}\n")
    wheels = f"{lake.address}/_wheels/2"
    machine.attributes = {
        "oneoff-code": f"{lake.address}/_code/1",
        "oneoff-venvs": f"recorder={wheels} step-x={wheels}",
    }
    machine.stub("gcloud", RSYNC)
    machine.stub("python3.11", f'exec {sys.executable} "$@"')

    class Metadata(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            folder, _, name = self.path.rpartition("/")
            given = folder == "/computeMetadata/v1/instance/attributes" and self.headers["Metadata-Flavor"] == "Google"
            value = machine.attributes.get(name) if given else None
            self.send_response(404 if value is None else 200)
            self.end_headers()
            self.wfile.write((value or "").encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Metadata)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    machine.metadata = f"127.0.0.1:{server.server_port}"
    yield machine
    server.shutdown()
    server.server_close()


def hide_programs(machine: Machine) -> dict[str, str]:
    """Has a machine none of the tests' machine's own programs but what every Debian has; returns the environment."""
    for tool in ("bash", "basename", "cat", "curl", "dirname", "env", "mkdir", "mktemp", "mv", "rm"):
        (machine.home / "bin" / tool).symlink_to(shutil.which(tool) or tool)
    return {"PATH": str(machine.home / "bin")}


def last_line(done: subprocess.CompletedProcess[str]) -> str:
    return done.stderr.splitlines()[-1]


def test_a_node_gets_code_and_environments(machine: Machine, lake: Bucket) -> None:
    done = machine.init()
    assert done.returncode == 0, done.stderr
    assert [re.sub(r"\d+ s$", "N s", line) for line in done.stdout.splitlines()] == [
        "init: reading the node's attributes: N s",
        "init: finding Python 3.11: N s",
        "init: copying the code: N s",
        "init: making environment recorder: N s",
        "init: making environment step-x: N s",
        "init: ready after N s",
    ]
    assert (machine.root / "code" / "steps" / "train" / "train.py").is_file()
    names = ("recorder", "step-x")
    assert [machine.python(name, "import demo; print(demo.answer)") for name in names] == ["42", "42"]
    found = machine.python("recorder", "import sys; print(sys.prefix, *sys.version_info[:2])")
    assert found == f"{machine.root}/venv/recorder 3 11"
    # Other users run the tasks.
    assert all(path.stat().st_mode & 0o005 == 0o005 for path in machine.root.glob("venv/*/bin"))
    step = subprocess.run(
        [machine.root / "venv/recorder/bin/python", machine.root / "code/node/step.py", "--help"],
        capture_output=True,
        check=True,
        text=True,
    )
    assert "step.py [options] -- COMMAND ..." in step.stdout
    options = "storage rsync --recursive --no-user-output-enabled"
    assert f"gcloud {options} {lake.address}/_code/1 {machine.root}/code.new" in machine.calls


def test_again_it_does_what_is_missing(machine: Machine, lake: Bucket) -> None:
    machine.attributes["oneoff-venvs"] = f"recorder={lake.address}/_wheels/2"
    assert machine.init().returncode == 0
    mine = machine.root / "venv" / "recorder" / "mine"
    mine.touch()
    (machine.root / "code" / "stale").touch()
    (machine.root / "code.new").mkdir()  # as if it had been killed on the way
    (machine.root / "code.new" / "stale").touch()
    machine.attributes["oneoff-venvs"] += f" more={lake.address}/_wheels/2"
    assert machine.init().returncode == 0
    assert mine.exists()
    assert machine.python("more", "import demo; print(demo.answer)") == "42"
    assert sorted(path.name for path in (machine.root / "code").iterdir()) == ["node", "steps"]
    (machine.root / "venv" / "recorder" / "stamp").unlink()
    assert machine.init().returncode == 0
    assert not mine.exists()


def test_gsutil_will_do(machine: Machine, lake: Bucket) -> None:
    (machine.home / "bin" / "gcloud").unlink()
    machine.stub("gsutil", RSYNC)
    done = machine.init(**hide_programs(machine))
    assert done.returncode == 0, done.stderr
    assert f"gsutil -q -m rsync -r {lake.address}/_code/1 {machine.root}/code.new" in machine.calls
    assert machine.python("recorder", "import demo; print(demo.answer)") == "42"


def test_one_python_makes_the_environment_and_the_pip_of_another_fills_it(machine: Machine) -> None:
    machine.stub("not-there-yet", "exit 127")
    machine.stub("conda", f'case $* in *version_info*) exit 1 ;; esac; exec {sys.executable} "$@"')  # 3.10, say
    machine.stub("system", f'case $* in *-m\\ pip*) exit 1 ;; esac; exec {sys.executable} "$@"')  # Debian's
    done = machine.init(ONEOFF_PYTHONS="/nowhere/python not-there-yet conda system")
    assert done.returncode == 0, done.stderr
    assert machine.python("recorder", "import demo; print(demo.answer)") == "42"
    venv = f"{machine.root}/venv/recorder"
    assert f"system -m venv --without-pip {venv}" in machine.calls
    assert [call for call in machine.calls if call.startswith(f"conda -m pip --python {venv}/bin/python install")]


@pytest.mark.parametrize(
    ("stubs", "reason"),
    [
        ({"a": "exit 1"}, "none of a b is Python 3.11 with the module venv; choose a Dataproc image 2.2 or 2.3"),
        (
            {"b": f'case $* in *-m\\ pip*) exit 1 ;; esac; exec {sys.executable} "$@"'},
            "none of a b has pip 22.3 or newer; choose a Dataproc image 2.2 or 2.3",
        ),
    ],
)
def test_no_python_will_do(machine: Machine, stubs: dict[str, str], reason: str) -> None:
    for name, script in stubs.items():
        machine.stub(name, script)
    failed = machine.init(ONEOFF_PYTHONS="a b")
    assert (failed.returncode, last_line(failed)) == (1, f"init: error: finding Python 3.11 failed: {reason}")


NONE = "or its metadata server does not answer"


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({"oneoff-code": None}, f"the node has no attribute oneoff-code, {NONE}"),
        ({"oneoff-venvs": None}, f"the node has no attribute oneoff-venvs, {NONE}"),
        ({"oneoff-code": "s3://b/x"}, 'attribute oneoff-code: "s3://b/x" is not gs://BUCKET/KEY'),
        ({"oneoff-code": "gs://b"}, 'attribute oneoff-code: "gs://b" is not gs://BUCKET/KEY'),
        ({"oneoff-venvs": "x"}, 'attribute oneoff-venvs: "x" is not NAME=gs://BUCKET/KEY'),
        (
            {"oneoff-venvs": "a=gs://b/c ../x=gs://b/c"},
            'attribute oneoff-venvs: "../x=gs://b/c" is not NAME=gs://BUCKET/KEY',
        ),
    ],
)
def test_bad_attributes(machine: Machine, attributes: dict[str, str | None], reason: str) -> None:
    for name, value in attributes.items():
        machine.attributes.pop(name)
        if value:
            machine.attributes[name] = value
    failed = machine.init()
    assert (failed.returncode, last_line(failed)) == (1, f"init: error: reading the node's attributes failed: {reason}")
    assert machine.calls == []


def test_what_is_not_in_the_lake(machine: Machine, lake: Bucket) -> None:
    machine.attributes["oneoff-venvs"] = f"recorder={lake.address}/none"
    failed = machine.init()
    reason = f"making environment recorder failed: {lake.address}/none/staged.json is missing after "
    assert failed.returncode == 1
    assert last_line(failed).startswith(f"init: error: {reason}")
    machine.attributes["oneoff-code"] = f"{lake.address}/none"
    reason = f"copying the code failed: {lake.address}/none/node/step.py is missing after "
    assert last_line(machine.init()).startswith(f"init: error: {reason}")
    (machine.home / "bin" / "gcloud").unlink()
    failed = machine.init(**hide_programs(machine))
    assert last_line(failed) == "init: error: copying the code failed: the node has neither gcloud nor gsutil"


def test_wheels_that_the_orchestrator_still_fetches(machine: Machine, lake: Bucket) -> None:
    for file in (machine.home / "wheels").iterdir():
        if file.name == "requirements.txt":
            lake.put("_wheels/3/requirements.txt", file.read_bytes())
    machine.attributes["oneoff-venvs"] = f"recorder={lake.address}/_wheels/3"

    def was_copied_in_vain() -> bool:
        copies = [line.split()[-1] for line in machine.calls if "_wheels/3" in line]
        return any(Path(copy, "requirements.txt").exists() for copy in copies)

    def fetch() -> None:
        while not was_copied_in_vain():
            time.sleep(0.05)
        for file in (machine.home / "wheels").iterdir():
            lake.put(f"_wheels/3/{file.name}", file.read_bytes())
        lake.put("_wheels/3/staged.json", "{}\n")

    late = threading.Thread(target=fetch, daemon=True)
    late.start()
    done = machine.init(ONEOFF_PATIENCE="120")
    late.join(timeout=60)
    assert done.returncode == 0, done.stderr
    assert len([line for line in machine.calls if "_wheels/3" in line]) > 1


def test_a_wheel_that_is_not_what_was_locked(machine: Machine, lake: Bucket) -> None:
    right = lake.text("_wheels/2/requirements.txt")
    lake.put("_wheels/2/requirements.txt", re.sub("sha256:....", "sha256:0000", right))
    failed = machine.init()
    assert failed.returncode != 0
    assert "DO NOT MATCH THE HASHES" in failed.stderr
    assert last_line(failed).startswith("init: error: making environment recorder failed: exit code")
    lake.put("_wheels/2/requirements.txt", right)
    assert machine.init().returncode == 0


def test_nothing_is_left_of_the_download(machine: Machine) -> None:
    (machine.home / "tmp").mkdir()
    assert machine.init(TMPDIR=str(machine.home / "tmp")).returncode == 0
    assert list((machine.home / "tmp").iterdir()) == []
