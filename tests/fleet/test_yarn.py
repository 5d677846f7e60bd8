"""What the fleet's scripts make of a resource manager's answers, and which GPUs executors get."""

from __future__ import annotations

import functools
import http.server
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yarn
from fleet_status import ask_json
from fleet_support import FakeHdfs, call, fake_hdfs, say, serving

GPUS = Path(__file__).parents[2] / "assets/yarn/gpus"


def resource(gpus: int) -> dict[str, Any]:
    """As the resource manager tells of one."""
    kinds = [("memory-mb", 1), ("vcores", 1), ("yarn.io/gpu", gpus)]
    return {"resourceInformations": {"resourceInformation": [{"name": name, "value": of} for name, of in kinds]}}


NODE = {
    "id": "localhost:8041",
    "nodeHTTPAddress": "localhost:8042",
    "state": "RUNNING",
    "usedMemoryMB": 1300,
    "availMemoryMB": 700,
    "usedVirtualCores": 3,
    "availableVirtualCores": 1,
    "usedResource": resource(1),
    "availableResource": resource(1),
}
LOST = {**NODE, "id": "localhost:8051", "nodeHTTPAddress": "", "state": "LOST"}
APPLICATION = {
    "id": "application_1_0001",
    "name": "sweep",
    "user": "ada",
    "allocatedVCores": 3,
    "startedTime": 1_796_000_000_000,
    "state": "RUNNING",
}


class Manager:
    """A resource manager with one node, and one that is lost."""

    def __init__(self) -> None:
        """Nothing runs."""
        self.place = ""
        self.nodes: object = {"node": [NODE, LOST]}
        self.applications: list[dict[str, Any]] = []
        self.asked: list[str] = []
        self.told: list[tuple[str, object]] = []

    def answer(self, handler: http.server.BaseHTTPRequestHandler, body: bytes) -> None:
        """Any request."""
        if handler.command == "POST":
            self.told.append((handler.path, json.loads(body)))
            return say(handler, {})
        path = handler.path.removeprefix("/ws/v1/cluster/")
        self.asked.append(path)
        kind = path.partition("?")[0]
        if kind == "info":
            return say(handler, {"clusterInfo": {"state": "STARTED"}})
        return say(handler, {"nodes": self.nodes} if kind == "nodes" else {"apps": {"app": self.applications}})


@pytest.fixture
def manager() -> Iterator[Manager]:
    found = Manager()
    with serving(found.answer) as place:
        found.place = f"yarn://{place}"
        yield found


@pytest.fixture
def hdfs() -> Iterator[FakeHdfs]:
    with fake_hdfs() as found:
        yield found


def test_status_tells_of_nodes_and_applications(
    manager: Manager, hdfs: FakeHdfs, capsys: pytest.CaptureFixture[str]
) -> None:
    manager.applications = [APPLICATION]
    done = call(capsys, "fleet_status", "--namenode", hdfs.place, "--master", manager.place)
    assert json.loads(done.out)["spark"] == {
        "state": "started",
        "nodes": [
            {
                "address": "127.0.0.1:8041",
                "page": "127.0.0.1:8042",
                "state": "alive",
                "cores": 4,
                "coresUsed": 3,
                "memoryMebibytes": 2000,
                "memoryUsedMebibytes": 1300,
                "gpus": ["0", "1"],
                "gpusUsed": ["0"],
            }
        ],
        "applications": [
            {
                "id": "application_1_0001",
                "name": "sweep",
                "cores": 2,  # the third is its master's
                "user": "ada",
                "since": "2026-11-30T00:53:20+00:00",
                "state": "running",
            }
        ],
    }
    assert manager.asked[1] == "apps?states=NEW,NEW_SAVING,SUBMITTED,ACCEPTED,RUNNING"
    manager.nodes = None  # as it says where there are none
    done = call(capsys, "fleet_status", "--namenode", hdfs.place, "--master", manager.place)
    assert json.loads(done.out)["spark"]["nodes"] == []


def test_a_node_that_goes_is_given_nothing_more_unless_it_is_the_last(manager: Manager) -> None:
    mine, other = {**NODE, "nodeHostName": "localhost"}, {**NODE, "id": "other:1", "nodeHostName": "127.0.0.2"}
    closed = {**other, "availMemoryMB": -1300}
    ask = functools.partial(ask_json, manager.place.removeprefix(yarn.SCHEME))
    for nodes in ([mine], [mine, {**LOST, "nodeHostName": "127.0.0.2"}], [mine, closed], [other]):
        manager.nodes = {"node": nodes}
        yarn.close_node(ask, "127.0.0.1")
    assert manager.told == []
    manager.nodes = {"node": [mine, other]}
    yarn.close_node(ask, "127.0.0.1")
    nothing = {"resource": {"memory": 0, "vCores": 0}, "overCommitTimeout": -1}
    assert manager.told == [("/ws/v1/cluster/nodes/localhost:8041/resource", nothing)]


@pytest.mark.parametrize(
    ("allocated", "state", "reason"),
    [
        (2, "RUNNING", "ada's application sweep holds 1 core"),
        (1, "RUNNING", "ada's application sweep waits for cores"),
        (0, "ACCEPTED", "ada's application sweep waits for cores"),
    ],
)
def test_an_application_keeps_a_fleet_busy(
    manager: Manager, tmp_path: Path, capsys: pytest.CaptureFixture[str], allocated: int, state: str, reason: str
) -> None:
    asked = ("--state", tmp_path / "state", "--master", manager.place)
    assert reason not in json.loads(call(capsys, "idle", *asked).out)["reasons"]
    manager.applications = [{**APPLICATION, "allocatedVCores": allocated, "state": state}]
    assert reason in json.loads(call(capsys, "idle", *asked).out)["reasons"]


def test_nothing_is_reset_while_one_runs(manager: Manager, hdfs: FakeHdfs, capsys: pytest.CaptureFixture[str]) -> None:
    hdfs.tree["/mine"] = b"x"
    manager.applications = [APPLICATION]
    asked = ("--namenode", hdfs.place, "--master", manager.place)
    done = call(capsys, "reset", *asked)
    assert done.code != 0
    assert "sweep (application_1_0001, of ada)" in done.err
    assert "/mine" in hdfs.tree
    manager.applications = []
    assert call(capsys, "reset", *asked).code == 0
    assert "/mine" not in hdfs.tree


def take(node: Path, container: str, amount: int) -> list[str]:
    """The GPUs that an executor gets that asked for so many."""
    folder = node / container
    (folder / "__spark_conf__").mkdir(parents=True, exist_ok=True)
    conf = f"spark.executor.cores=1\nspark.executor.resource.gpu.amount={amount}\n"
    (folder / "__spark_conf__/__spark_conf__.properties").write_text(conf)
    env = {"PATH": os.environ["PATH"], "ONEOFF_ROOT": str(node), "ONEOFF_GPUS": "1 3 5 "}
    found = json.loads(subprocess.run([GPUS], cwd=folder, env=env, check=True, capture_output=True).stdout)
    assert found["name"] == "gpu"
    return found["addresses"]


def test_executors_of_a_node_get_different_gpus(tmp_path: Path) -> None:
    assert take(tmp_path, "a", 2) == ["1", "3"]
    assert take(tmp_path, "b", 2) == ["5"]  # Spark refuses what is too few
    assert take(tmp_path, "a", 2) == ["1", "3"]  # asked again it has the same
    (tmp_path / "a").rename(tmp_path / "gone")
    assert take(tmp_path, "c", 1) == ["1"]
