"""What the tests of a node need beside fixtures."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3

ROOT = Path(__file__).resolve().parents[2]
EMR = ROOT / "assets" / "nodes" / "emr"
STEPS = ROOT / "assets" / "steps"
JOBS = ROOT / "assets" / "jobs"
BIN = Path(sys.executable).parent
REGION = "us-west-2"
SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"


class Bucket:
    """A bucket of that S3."""

    def __init__(self, env: Mapping[str, str]) -> None:
        """env: as `s3_env`."""
        self.name = f"lake-{uuid4().hex}"
        self.address = f"s3://{self.name}"
        keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
        self.s3 = boto3.client("s3", region_name=REGION, endpoint_url=env["AWS_ENDPOINT_URL"], **keys)
        self.s3.create_bucket(Bucket=self.name, CreateBucketConfiguration={"LocationConstraint": REGION})

    def keys(self) -> list[str]:
        """Keys of all objects."""
        return [item["Key"] for item in self.s3.list_objects_v2(Bucket=self.name).get("Contents", [])]

    def text(self, key: str) -> str:
        """Content of an object."""
        return self.s3.get_object(Bucket=self.name, Key=key)["Body"].read().decode()

    def record(self, run: str = "1") -> dict[str, Any]:
        """The record of a run."""
        return json.loads(self.text(f"_runs/{run}.json"))


@dataclass
class Node:
    """A machine with stubs for programs; `calls` says how they were called."""

    home: Path
    env: dict[str, str]

    def stub(self, name: str, script: str) -> None:
        """Puts a program there; every call of it is a line of `calls`."""
        path = self.home / "bin" / name
        path.write_text(f'#!/bin/bash\necho "{name} $*" >>"{self.home}/calls"\n{script}\n')
        path.chmod(0o755)

    def run(self, *command: str | Path, **env: str) -> subprocess.CompletedProcess[str]:
        """Runs a program there."""
        whole = {**self.env, **env}
        return subprocess.run(command, env=whole, cwd=self.home, capture_output=True, check=False, text=True)

    def stub_s3(self) -> Path:
        """A program `aws` whose S3 is a folder, of which "BUCKET/KEY" is a file; returns that folder."""
        self.stub(
            "aws",
            """
            from=${*: -2:1} to=${*: -1}
            there() { case $1 in s3://*) echo "$HOME/s3/${1#s3://}" ;; *) echo "$1" ;; esac; }
            if [ "$from" = - ]; then mkdir -p "$(dirname "$(there "$to")")"; exec cat >"$(there "$to")"; fi
            if [ "$to" = - ]; then exec cat "$(there "$from")"; fi
            mkdir -p "$to"
            if [ -d "$(there "$from")" ]; then cp -r "$(there "$from")/." "$to"; fi
            if [ -e "$HOME/interrupted" ]; then rm "$to"/index.mjs; exit 1; fi
            """,
        )
        return self.home / "s3"

    @property
    def calls(self) -> list[str]:
        """How the stubs were called, in order."""
        file = self.home / "calls"
        return file.read_text().splitlines() if file.exists() else []


def add_wheel(folder: Path) -> None:
    """A package of one module, `demo`, and the requirements.txt that asks for it."""
    folder.mkdir(parents=True)
    files = {
        "demo.py": "answer = 42\n",
        "demo-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n",
        "demo-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    rows = []
    for name, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        rows.append(f"{name},sha256={digest},{len(text)}\n")
    files["demo-1.0.dist-info/RECORD"] = "".join([*rows, "demo-1.0.dist-info/RECORD,,\n"])
    wheel = folder / "demo-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    (folder / "requirements.txt").write_text(f"demo==1.0 --hash=sha256:{digest}\n")


def wait_for(what: Callable[[], Any], seconds: float = 120) -> Any:  # noqa: ANN401
    """The first true answer. Fails when there is none in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if answer := what():
                return answer
        except Exception as problem:
            last = problem
        else:
            last = None
        time.sleep(0.1)
    raise AssertionError(f"not within {seconds} s: {last}")
