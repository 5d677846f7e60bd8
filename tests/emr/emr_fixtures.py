"""An S3 to write to, the programs of a node as stubs, and step.py as it lies on a node: a plugin of pytest."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest
from emr_support import BIN, JOBS, REGION, STEPS, SYSTEM_PATH, Bucket, Node


@pytest.fixture(scope="session")
def s3_env() -> Iterator[dict[str, str]]:
    """The environment with which an SDK finds an S3 of this machine: moto, which really stores objects."""
    server = subprocess.Popen([BIN / "moto_server", "-H", "127.0.0.1", "-p", "0"], stderr=subprocess.PIPE, text=True)
    assert server.stderr
    started = next(found for line in server.stderr if (found := re.search(r"Running on (http://\S+)", line)))
    # It writes a line for each request, and waits once nobody has read so many.
    Thread(target=lambda lines: [None for _ in lines], args=(server.stderr,), daemon=True).start()
    yield {
        "AWS_ENDPOINT_URL": started[1],
        "AWS_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    server.kill()
    server.wait()


@pytest.fixture
def bucket(s3_env: dict[str, str]) -> Bucket:
    """An empty bucket."""
    return Bucket(s3_env)


@pytest.fixture
def node(tmp_path: Path) -> Node:
    """A machine without any stubs yet."""
    if sys.platform != "linux":
        pytest.skip("what runs on nodes is made of Linux's programs")
    (tmp_path / "bin").mkdir()
    quick = {name: value for name, value in os.environ.items() if name == "JDK_JAVA_OPTIONS"}
    return Node(tmp_path, {"PATH": f"{tmp_path}/bin:{SYSTEM_PATH}", "HOME": str(tmp_path), **quick})


@pytest.fixture
def code(node: Node) -> Path:
    """The code folder of a node, as far as step.py needs it."""
    folder = node.home / "code" / "emr"
    folder.mkdir(parents=True)
    for file in (*STEPS.glob("*.*"), JOBS / "oneoff.py"):
        shutil.copy(file, folder)
    return folder
