"""EC2's notice that it takes a machine away; notice.test.ts has what Spark does of it."""

from __future__ import annotations

import re

import notice
import pytest
import units
from fleet_hdfs import FleetError
from notice import EXECUTORS, NODE_MANAGER, WORKER, Notice


class Metadata:
    """Answers what it is told to."""

    says: str | None = None
    facts = {"address": "10.84.0.20"}  # noqa: RUF012

    def taken(self) -> str | None:
        return self.says


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    calls: list[tuple[str, ...]] = []
    monkeypatch.setattr(units, "call", lambda *words, **_: calls.append(words))
    return calls


def test_the_worker_is_told_to_go_once_and_then_others_are_told(called: list[tuple[str, ...]]) -> None:
    metadata, told = Metadata(), []
    notice = Notice(metadata, [WORKER, "oneoff-agent.service"], "10.84.0.10:8080", lambda: told.append(len(called)))
    notice.look()
    assert (called, told) == ([], [])
    metadata.says = "2026-11-30T19:40:35Z"
    for _ in range(3):
        notice.look()
    assert called == [("systemctl", "kill", "--kill-whom=main", "--signal=PWR", "oneoff-worker.service")]
    assert told == [1]


def test_what_failed_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    metadata, told = Metadata(), []
    metadata.says = "2026-11-30T19:40:35Z"
    notice = Notice(metadata, [WORKER], None, lambda: told.append(1))

    def fail(*_: str) -> None:
        raise FleetError("not today")

    monkeypatch.setattr(units, "call", fail)
    with pytest.raises(FleetError, match="not today"):
        notice.look()
    monkeypatch.setattr(units, "call", lambda *_: "")
    notice.look()
    assert told == [1]


def test_of_yarn_a_node_is_closed_before_its_executors_are_told_to_go(
    called: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[object, ...]] = []

    def ask(*words: object) -> dict[str, object]:
        asked.append((len(called), *words))
        nodes = [("10.84.0.20", "10.84.0.20:8042"), ("10.84.0.21", "10.84.0.21:8042"), ("10.84.0.20", "")]
        ids = [
            {
                **{"id": f"{host}:{at}", "nodeHostName": host, "nodeHTTPAddress": page},
                **{"usedMemoryMB": 0, "availMemoryMB": 1024},
            }
            for at, (host, page) in enumerate(nodes)
        ]
        return {"nodes": {"node": ids}}

    monkeypatch.setattr(notice, "ask_json", ask)
    metadata, told = Metadata(), []
    metadata.says = "2026-11-30T19:40:35Z"
    Notice(metadata, [NODE_MANAGER], "yarn://10.84.0.10:8088", lambda: told.append(1)).look()
    nothing = {"resource": {"memory": 0, "vCores": 0}, "overCommitTimeout": -1}
    assert asked == [
        (0, "10.84.0.10:8088", "/ws/v1/cluster/nodes"),
        (0, "10.84.0.10:8088", "/ws/v1/cluster/nodes/10.84.0.20:0/resource", nothing),
    ]
    assert called == [("pkill", "--signal=PWR", "--full", EXECUTORS)]
    assert told == [1]


def test_executors_are_told_and_not_the_shells_that_started_them() -> None:
    java = "/usr/lib/jvm/jre/bin/java -server org.apache.spark.executor.YarnCoarseGrainedExecutorBackend --cores 2"
    assert re.search(EXECUTORS, java)
    assert not re.search(EXECUTORS, f"/bin/bash -c {java}")
    assert not re.search(EXECUTORS, "/usr/bin/java org.apache.hadoop.yarn.server.nodemanager.NodeManager")


def test_a_machine_without_either_only_tells(called: list[tuple[str, ...]]) -> None:
    metadata, told = Metadata(), []
    metadata.says = "2026-11-30T19:40:35Z"
    Notice(metadata, ["oneoff-agent.service"], None, lambda: told.append(1)).look()
    assert (called, told) == ([], [1])
