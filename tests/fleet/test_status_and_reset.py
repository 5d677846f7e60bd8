"""fleet_status.py and reset.py against what stands in for HDFS, a master and a Jupyter server."""

from __future__ import annotations

import http.server
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import reset
from fleet_support import Called, FakeHdfs, call, fake_hdfs, live, say, serving

GPU = {"gpu": {"name": "gpu", "addresses": ["0", "1"]}}
APPLICATION = {
    "id": "app-20261130000000-0001",
    "name": "sweep",
    "cores": 2,
    "user": "ada",
    "starttime": 1_796_000_000_000,
    "state": "RUNNING",
}


class Fleet:
    """A master and a Jupyter server, beside HDFS."""

    def __init__(self, hdfs: FakeHdfs) -> None:
        """Nothing runs."""
        self.hdfs = hdfs
        self.place = ""
        self.token = "t0ken"
        self.applications: list[dict[str, Any]] = []
        self.kernels: dict[str, str | None] = {}  # each with its session
        self.of_kernels = False  # whether applications end with the kernels

    def answer(self, handler: http.server.BaseHTTPRequestHandler, _: bytes) -> None:
        """Any request."""
        if handler.path == "/json/":
            worker = {
                "host": "10.0.0.1",
                "port": 7078,
                "webuiaddress": "http://10.0.0.1:8081",
                "state": "ALIVE",
                "cores": 4,
                "coresused": 2,
            }
            memory = {
                "memory": 1024,
                "memoryused": 512,
                "resources": GPU,
                "resourcesused": {"gpu": {"addresses": ["1"]}},
            }
            return say(handler, {"status": "ALIVE", "workers": [{**worker, **memory}], "activeapps": self.applications})
        if handler.headers["Authorization"] != f"token {self.token}":
            return say(handler, {}, 403)
        _, _, kind, *rest = handler.path.removeprefix("/lab").split("/")
        if handler.command == "DELETE":
            of = {session: kernel for kernel, session in self.kernels.items()} if kind == "sessions" else {}
            gone = self.kernels.pop(of.get(rest[0], rest[0]), "missing")
            self.applications = [] if self.of_kernels and not self.kernels else self.applications
            return say(handler, b"", 404 if gone == "missing" else 204)
        sessions = [{"id": session, "kernel": {"id": kernel}} for kernel, session in self.kernels.items() if session]
        return say(handler, sessions if kind == "sessions" else [{"id": kernel} for kernel in self.kernels])


@pytest.fixture
def fleet(monkeypatch: pytest.MonkeyPatch) -> Iterator[Fleet]:
    monkeypatch.setattr(reset, "LOOK_S", 0.01)
    monkeypatch.setattr(reset, "PATIENCE_S", 0.2)
    with fake_hdfs() as hdfs:
        found = Fleet(hdfs)
        with serving(found.answer) as found.place:
            yield found


@pytest.fixture
def run_reset(fleet: Fleet, tmp_path: Path, capsys: pytest.CaptureFixture[str]):  # noqa: ANN201
    def called(notebook: bool = True) -> Called:
        token = tmp_path / "token"
        token.write_text("t0ken\n")
        told = ["--notebook", f"http://{fleet.place}/lab/", "--token-file", token] if notebook else []
        return call(capsys, "reset", "--namenode", fleet.hdfs.place, "--master", fleet.place, *told)

    return called


def test_status_tells_of_both(fleet: Fleet, capsys: pytest.CaptureFixture[str]) -> None:
    fleet.applications = [APPLICATION]
    fleet.hdfs.live = {
        "a": live(9866, xferaddr="10.0.0.1:9866"),
        "b": live(9866, xferaddr="10.0.0.2:9866", adminState="Entering Maintenance"),
    }
    fleet.hdfs.dead = {"c": {"xferaddr": "10.0.0.3:9866", "lastContact": 99}}
    fleet.hdfs.blocks = {"MissingBlocks": 1, "LowRedundancyBlocks": 2, "PendingReconstructionBlocks": 3}
    done = call(capsys, "fleet_status", "--namenode", fleet.hdfs.place, "--master", fleet.place)
    assert (done.code, done.err) == (0, "")
    node = {"used": 1000, "capacity": 10**12, "blocks": 3, "lastContact": 1}
    assert json.loads(done.out) == {
        "hdfs": {
            "state": "active",
            "used": 1,
            "capacity": 2,
            "live": 2,
            "missing": 1,
            "underReplicated": 5,
            "nodes": [
                {"address": "10.0.0.1:9866", "state": "in service", **node},
                {"address": "10.0.0.2:9866", "state": "entering maintenance", **node},
                {"address": "10.0.0.3:9866", "state": "dead", "used": 0, "capacity": 0, "blocks": 0, "lastContact": 99},
            ],
        },
        "spark": {
            "state": "alive",
            "nodes": [
                {
                    "address": "10.0.0.1:7078",
                    "page": "10.0.0.1:8081",
                    "state": "alive",
                    "cores": 4,
                    "coresUsed": 2,
                    "memoryMebibytes": 1024,
                    "memoryUsedMebibytes": 512,
                    "gpus": ["0", "1"],
                    "gpusUsed": ["1"],
                }
            ],
            "applications": [
                {
                    "id": "app-20261130000000-0001",
                    "name": "sweep",
                    "cores": 2,
                    "user": "ada",
                    "since": "2026-11-30T00:53:20+00:00",
                    "state": "running",
                }
            ],
        },
    }


def test_status_of_what_is_down_or_says_nonsense_is_null_with_the_reason(
    fleet: Fleet, capsys: pytest.CaptureFixture[str]
) -> None:
    done = call(capsys, "fleet_status", "--namenode", fleet.hdfs.place, "--master", "127.0.0.1:1")
    found = json.loads(done.out)
    assert (done.code, found["hdfs"]["state"], found["spark"]) == (0, "active", None)
    assert found["problem"] == "the master 127.0.0.1:1 does not answer: Connection refused"
    with serving(lambda handler, _: say(handler, {})) as other:
        done = call(capsys, "fleet_status", "--namenode", "127.0.0.1:1", "--master", other)
    found = json.loads(done.out)
    assert (done.code, found["hdfs"], found["spark"]) == (0, None, None)
    assert found["problem"] == (
        "the namenode 127.0.0.1:1 does not answer: Connection refused; "
        "spark gave no answer that can be read: KeyError('status')"
    )


def test_reset_empties_hdfs_and_ends_kernels(fleet: Fleet, run_reset) -> None:  # noqa: ANN001
    fleet.kernels = {"k1": "s1", "k2": None}
    fleet.of_kernels = True
    fleet.applications = [APPLICATION]
    own = {path: None for path in ("/runs", "/scratch", "/spark-events", "/user", "/user/oneoff")}
    users = {"/data": None, "/data/x": b"x", "/file": b"", "/runs/1": None, "/user/ada": None, "/user/oneoff/x": b"x"}
    fleet.hdfs.tree |= {**own, **users, "/spark-events/app-1": b"log"}
    done = run_reset()
    assert done.code == 0
    assert json.loads(done.out) == {"sessions": 1, "kernels": 2, "deleted": 6}
    assert "reset: ended 2 kernels and 1 sessions\n" in done.err
    assert "reset: deleted the folder /data in HDFS\n" in done.err
    assert fleet.hdfs.files() == own
    assert fleet.kernels == {}
    assert json.loads(run_reset(notebook=False).out)["deleted"] == 0


def test_reset_deletes_nothing_while_an_application_runs(fleet: Fleet, run_reset) -> None:  # noqa: ANN001
    fleet.kernels = {"k1": None}
    fleet.applications = [APPLICATION]
    fleet.hdfs.tree |= {"/data": None}
    for notebook in (True, False):
        done = run_reset(notebook)
        assert (done.code, done.out) == (2, "")
        assert done.err.splitlines()[-1] == (
            f"reset: nothing was deleted, for it runs on {fleet.place}: sweep (app-20261130000000-0001, of ada); "
            "wait for its end, or end it"
        )
    assert fleet.hdfs.files() == {"/data": None}
    assert fleet.kernels == {}


def test_reset_keeps_the_log_of_what_has_begun_meanwhile(fleet: Fleet) -> None:
    log = f"/spark-events/{APPLICATION['id']}.inprogress"
    fleet.hdfs.tree |= {"/spark-events": None, log: b"", "/spark-events/app-0": b"", "/x": None}
    assert reset.empty(reset.Hdfs(fleet.hdfs.place), "/", {APPLICATION["id"]}) == 2
    assert fleet.hdfs.files() == {"/spark-events": None, log: b""}


def test_reset_with_a_token_that_is_not_taken_changes_nothing(fleet: Fleet, run_reset) -> None:  # noqa: ANN001
    fleet.token = "another"
    fleet.hdfs.tree |= {"/data": None}
    done = run_reset()
    assert (done.code, fleet.hdfs.files()) == (2, {"/data": None})
    assert done.err.endswith("/lab/ does not take the token: give its own by --token-file\n")
