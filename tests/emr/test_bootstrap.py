"""bootstrap.sh with a real Python environment, and stubs for AWS and root."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pip
import pytest
from emr_support import EMR, JOBS, STEPS, Node, add_wheel

pytest_plugins = "emr_fixtures"

CODE, WHEELS = "s3://lake/_code/1", "s3://lake/_wheels/2"

FIND_AGENT = "rpm -q amazon-ssm-agent"
INSTALL_AGENT = "dnf install -y -q amazon-ssm-agent"
START_AGENT = "systemctl enable --now amazon-ssm-agent"
NO_AGENT = "bootstrap: no SSM agent: oneoff open --ui will not reach this node"

# `python -m venv` without installing pip anew, which takes seconds: it is taken from where the tests run.
QUICK_VENV = f"""
{sys.executable} -m venv --without-pip "${{@:3}}"
echo {Path(pip.__file__).parents[1]} >"$(echo "${{@: -1}}"/lib/python3*/site-packages)/pip.pth"
"""


class Machine(Node):
    """A node of a cluster before its bootstrap."""

    @property
    def root(self) -> Path:
        return self.home / "oneoff"

    def bootstrap(self, *arguments: str, primary: bool = False, **env: str) -> subprocess.CompletedProcess[str]:
        (self.home / "instance.json").write_text(json.dumps({"isMaster": primary}, indent=1))
        settings = {"ONEOFF_ROOT": self.root, "ONEOFF_INSTANCE": self.home / "instance.json", "ONEOFF_UNITS": self.home}
        known = {"AWS_REGION": "us-west-2", **{name: str(value) for name, value in settings.items()}}
        return self.run("bash", EMR / "bootstrap.sh", *arguments, **{**known, **env})

    def python(self, name: str, program: str) -> str:
        return subprocess.check_output([self.root / "venv" / name / "bin" / "python", "-c", program], text=True).strip()


@pytest.fixture
def machine(node: Node) -> Machine:
    """With code and wheels in its S3."""
    machine = Machine(node.home, node.env)
    s3 = machine.stub_s3()
    code = s3 / "lake" / "_code" / "1" / "emr"
    code.mkdir(parents=True)
    for file in (*STEPS.glob("*.*"), JOBS / "oneoff.py", EMR / "jupyter" / "jupyter.sh"):
        shutil.copy(file, code)
    add_wheel(s3 / "lake" / "_wheels" / "2")
    machine.stub("sudo", 'exec "$@"')
    machine.stub("python3.11", QUICK_VENV)
    machine.stub("systemctl", "")
    machine.stub("rpm", "")
    return machine


def agent_calls(machine: Machine) -> list[str]:
    return [call for call in machine.calls if call.endswith("amazon-ssm-agent")]


def last_line(done: subprocess.CompletedProcess[str]) -> str:
    return done.stderr.splitlines()[-1]


def test_a_node_gets_code_and_environments(machine: Machine) -> None:
    machine.stub("python3.11", f'exec {sys.executable} "$@"')
    done = machine.bootstrap(CODE, f"recorder={WHEELS}", f"train={WHEELS}")
    assert done.returncode == 0, done.stderr
    phases = [re.sub(r"\d+ s$", "N s", line) for line in done.stdout.splitlines()]
    assert phases == [
        "bootstrap: finding the region: N s",
        "bootstrap: installing Python 3.11: N s",
        "bootstrap: copying the code: N s",
        "bootstrap: making environment recorder: N s",
        "bootstrap: making environment train: N s",
        "bootstrap: ready after N s",
    ]
    assert (machine.root / "code" / "emr" / "step.py").is_file()
    assert (machine.root / "region").read_text() == "us-west-2\n"
    assert [machine.python(name, "import demo; print(demo.answer)") for name in ("recorder", "train")] == ["42", "42"]
    assert not [call for call in machine.calls if "dnf" in call]
    # Other users run the tasks.
    assert all(path.stat().st_mode & 0o005 == 0o005 for path in machine.root.glob("venv/*/bin"))


def test_again_it_does_what_is_missing(machine: Machine) -> None:
    assert machine.bootstrap(CODE, f"recorder={WHEELS}").returncode == 0
    mine = machine.root / "venv" / "recorder" / "mine"
    mine.touch()
    (machine.root / "code" / "stale").touch()
    assert machine.bootstrap(CODE, f"recorder={WHEELS}", f"more={WHEELS}").returncode == 0
    assert mine.exists()
    assert machine.python("more", "import demo; print(demo.answer)") == "42"
    assert [path.name for path in (machine.root / "code").iterdir()] == ["emr"]
    (machine.root / "venv" / "recorder" / "stamp").unlink()  # as if it had been killed on the way
    assert machine.bootstrap(CODE, f"recorder={WHEELS}").returncode == 0
    assert not mine.exists()


def test_python_is_installed_where_it_is_missing(machine: Machine) -> None:
    python = machine.home / "bin" / "python3.11"
    hidden = python.rename(machine.home / "hidden")
    # Not the machine's own python3.11 either.
    tools = ["id", "mkdir", "chown", "rm", "mv", "mktemp", "cat", "cp", "dirname", "bash", "grep"]
    for tool in tools:
        (machine.home / "bin" / tool).symlink_to(subprocess.check_output(["which", tool], text=True).strip())
    machine.stub("dnf", f'[ "$*" = "install -y -q python3.11 python3.11-pip" ] && mv {hidden} {python}')
    done = machine.bootstrap(CODE, f"recorder={WHEELS}", PATH=str(machine.home / "bin"))
    assert done.returncode == 0, done.stderr
    assert machine.calls.count("dnf install -y -q python3.11 python3.11-pip") == 1

    python.rename(hidden)
    machine.stub("dnf", "echo 'Error: no repository' >&2; exit 1")
    failed = machine.bootstrap(CODE, f"recorder={WHEELS}", PATH=str(machine.home / "bin"))
    assert failed.returncode == 1
    assert failed.stderr.endswith(
        "Error: no repository\nbootstrap: error: installing Python 3.11 failed: exit code 1, the lines above say why\n"
    )


def test_the_region_is_the_instances(machine: Machine) -> None:
    machine.stub(
        "curl", 'case $* in *api/token) echo T ;; *"X-aws-ec2-metadata-token: T "*region) echo eu-west-1 ;; esac'
    )
    assert machine.bootstrap(CODE, AWS_REGION="").returncode == 0
    assert (machine.root / "region").read_text() == "eu-west-1\n"
    machine.stub("curl", "exit 7")
    failed = machine.bootstrap(CODE, AWS_REGION="")
    assert failed.returncode == 7
    assert last_line(failed).startswith("bootstrap: error: finding the region failed: exit code 7")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "there is no address of a code folder, s3://BUCKET/KEY"),
        ([f"recorder={WHEELS}"], "there is no address of a code folder, s3://BUCKET/KEY"),
        (["/code"], '"/code" is not NAME=s3://BUCKET/KEY'),
        ([CODE, CODE], f'"{CODE}" is not NAME=s3://BUCKET/KEY'),
        ([CODE, "recorder"], '"recorder" is not NAME=s3://BUCKET/KEY'),
        ([CODE, f"../x={WHEELS}"], f'"../x={WHEELS}" is not NAME=s3://BUCKET/KEY'),
        ([CODE, f"a/../../x={WHEELS}"], f'"a/../../x={WHEELS}" is not NAME=s3://BUCKET/KEY'),
        ([CODE, "--jupyter"], "--jupyter needs the id of the run"),
    ],
)
def test_bad_arguments(machine: Machine, arguments: list[str], message: str) -> None:
    failed = machine.bootstrap(*arguments)
    assert failed.returncode == 1
    assert failed.stderr == f"bootstrap: error: reading its arguments failed: {message}\n"
    assert machine.calls == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["s3://lake/none"], "copying the code failed: s3://lake/none/emr/step.py is missing"),
        ([CODE, "x=s3://lake/none"], "making environment x failed: s3://lake/none/requirements.txt is missing"),
    ],
)
def test_what_is_not_in_the_lake(machine: Machine, arguments: list[str], message: str) -> None:
    failed = machine.bootstrap(*arguments)
    assert failed.returncode == 1
    assert last_line(failed) == f"bootstrap: error: {message}"


def test_a_wheel_that_is_not_what_was_locked(machine: Machine) -> None:
    requirements = machine.home / "s3" / "lake" / "_wheels" / "2" / "requirements.txt"
    right = requirements.read_text()
    requirements.write_text(re.sub("sha256:....", "sha256:0000", right))
    failed = machine.bootstrap(CODE, f"recorder={WHEELS}")
    assert failed.returncode != 0
    assert "DO NOT MATCH THE HASHES" in failed.stderr
    assert last_line(failed).startswith("bootstrap: error: making environment recorder failed: exit code")
    requirements.write_text(right)
    assert machine.bootstrap(CODE, f"recorder={WHEELS}").returncode == 0


def test_workers_have_no_jupyter(machine: Machine) -> None:
    done = machine.bootstrap(CODE, f"recorder={WHEELS}", f"jupyter={WHEELS}", "--jupyter", "1")
    assert done.returncode == 0, done.stderr
    assert not (machine.root / "venv" / "jupyter").exists()
    assert "Jupyter" not in done.stdout
    assert [call for call in machine.calls if call.startswith("systemctl")] == [START_AGENT]


def test_the_agent_of_the_image_is_started(machine: Machine) -> None:
    done = machine.bootstrap(CODE)
    assert done.returncode == 0, done.stderr
    assert agent_calls(machine) == [FIND_AGENT, f"sudo {START_AGENT}", START_AGENT]
    assert NO_AGENT not in done.stdout


def test_the_agent_is_installed_where_it_is_missing(machine: Machine) -> None:
    machine.stub("rpm", "echo 'package amazon-ssm-agent is not installed'; exit 1")
    machine.stub("dnf", "")
    done = machine.bootstrap(CODE)
    assert done.returncode == 0, done.stderr
    assert agent_calls(machine) == [
        FIND_AGENT,
        f"sudo {INSTALL_AGENT}",
        INSTALL_AGENT,
        f"sudo {START_AGENT}",
        START_AGENT,
    ]
    assert NO_AGENT not in done.stdout
    assert "is not installed" not in done.stdout


@pytest.mark.parametrize(("broken", "last_call"), [("dnf", INSTALL_AGENT), ("systemctl", START_AGENT)])
def test_a_node_does_without_the_agent(machine: Machine, broken: str, last_call: str) -> None:
    machine.stub("rpm", "exit 1")
    machine.stub("dnf", "")
    machine.stub(broken, f"echo '{broken} is broken' >&2; exit 1")
    done = machine.bootstrap(CODE)
    assert done.returncode == 0, done.stderr
    assert agent_calls(machine)[-1] == last_call
    assert done.stdout.splitlines()[-2] == NO_AGENT
    assert done.stdout.splitlines()[-1].startswith("bootstrap: ready after ")
    assert done.stderr == f"{broken} is broken\n"


def test_the_primary_node_starts_jupyter(machine: Machine) -> None:
    arguments = ["--jupyter", "1", CODE, f"recorder={WHEELS}", f"train={WHEELS}", f"jupyter={WHEELS}"]
    done = machine.bootstrap(*arguments, primary=True)
    assert done.returncode == 0, done.stderr
    token = machine.root / "jupyter" / "token"
    assert re.fullmatch("[0-9a-f]{48}", token.read_text())
    assert token.stat().st_mode & 0o777 == 0o600
    assert (machine.home / "s3" / "lake" / "_jupyter" / "1").read_text() == token.read_text()
    unit = (machine.home / "oneoff-jupyter.service").read_text()
    assert "--ServerApp.ip=127.0.0.1 --ServerApp.port=8888 " in unit
    assert f"Environment=JUPYTER_TOKEN_FILE={token}\n" in unit
    assert "Restart=always\n" in unit
    assert token.read_text() not in "".join([done.stdout, done.stderr, unit, *machine.calls])
    assert "systemctl enable --now --quiet oneoff-jupyter.service" in machine.calls
    kernels = machine.root / "venv" / "jupyter" / "share" / "jupyter" / "kernels"
    kernel = json.loads((kernels / "pyspark" / "kernel.json").read_text())
    assert kernel["env"]["PYSPARK_PYTHON"] == f"{machine.root}/venv/train/bin/python"
    assert f"{machine.root}/venv/train/lib" in machine.python("jupyter", "import sys; print(sys.path)")
    before = token.read_text()
    assert machine.bootstrap(*arguments, primary=True).returncode == 0
    assert token.read_text() == before


def test_a_kernel_finds_spark_when_it_starts(machine: Machine) -> None:
    python = machine.root / "venv" / "jupyter" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/bash\necho "$PYTHONPATH|$AWS_REGION|$*"\n')
    python.chmod(0o755)
    (machine.root / "region").write_text("eu-west-1\n")
    spark = machine.home / "spark"
    kernel = ["bash", EMR / "jupyter" / "jupyter.sh", "kernel", "connection.json"]
    env = {"ONEOFF_ROOT": str(machine.root), "SPARK_HOME": str(spark)}
    early = machine.run(*kernel, **env)
    assert early.returncode == 1
    assert early.stderr.startswith(f"Spark is not in {spark} yet: wait until the cluster is ready")
    (spark / "python" / "lib").mkdir(parents=True)
    py4j = spark / "python" / "lib" / "py4j-0.10.9.7-src.zip"
    py4j.touch()
    started = machine.run(*kernel, **env)
    assert started.stdout == f"{spark}/python:{py4j}|eu-west-1|-m ipykernel_launcher -f connection.json\n"
