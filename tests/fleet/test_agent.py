"""What goes on on a machine of a fleet, as far as it needs no systemd; `npm run test:boot` has the rest."""

from __future__ import annotations

import json
import threading
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import access
import agent
import head
import node
import node_config
import pytest
import units
from fleet_hdfs import FleetError, RefusalError
from fleet_lake import FleetLake

CONFIG: dict[str, Any] = {
    "fleet": "fleet",
    "role": "head",
    "node": "head",
    "lake": "s3://the-lake",
    "region": "us-west-2",
    "namenode": "10.84.0.10:9870",
    "master": "10.84.0.10:8080",
    "disk": {"device": "/dev/sdf", "folder": "/var/lib/oneoff/namenode/data"},
    "parameters": {},
    "files": {},
    "units": {},
    "services": [],
    "notebooks": False,
    "gpus": False,
    "access": {},
}


@pytest.fixture
def lake(tmp_path: Path) -> FleetLake:
    return FleetLake(str(tmp_path / "lake"), "fleet")


def config_of(tmp_path: Path, **more: Any) -> node_config.NodeConfig:  # noqa: ANN401
    file = tmp_path / "node.json"
    file.write_text(json.dumps({**CONFIG, **more}))
    return node_config.read_config(file)


def test_what_a_machine_is_told_is_read_whole_or_refused(tmp_path: Path) -> None:
    assert config_of(tmp_path).disk == node_config.Disk("/dev/sdf", "/var/lib/oneoff/namenode/data")
    assert config_of(tmp_path, disk=None).disk is None
    with pytest.raises(RefusalError, match="reboots"):
        config_of(tmp_path, reboots=True)
    (tmp_path / "node.json").write_text("{")
    with pytest.raises(RefusalError, match="is not what a machine of a fleet is told"):
        node_config.read_config(tmp_path / "node.json")


def test_objects_of_a_lake(lake: FleetLake) -> None:
    assert lake.read(lake.key("users.json")) is None
    assert lake.list(lake.key("requests")) == []
    lake.write(lake.key("requests/1.json"), {"a": 1})
    assert [file.base_name for file in lake.list(lake.key("requests"))] == ["1.json"]
    assert lake.read_json("_fleets/fleet/requests/1.json") == {"a": 1}
    with pytest.raises(FleetError, match="larger than 3 bytes"):
        lake.read(lake.key("requests/1.json"), 3)


@pytest.mark.parametrize(
    "request_",
    [{}, {"command": "push"}, {"command": "shutdown"}, {"command": ["push"]}, {"command": "push", "archive": "a"}],
)
def test_what_is_no_request_is_answered_and_not_asked_again(
    tmp_path: Path, lake: FleetLake, request_: dict[str, Any]
) -> None:
    asked = head.Head(config_of(tmp_path), lake)
    asked.answer("one", request_)
    answer = lake.read_json(lake.key("answers/one.json"))
    assert (answer["state"], answer["refused"]) == ("failed", True)
    assert asked.answered == {"one"}


def test_a_request_is_a_script_with_arguments_and_no_more(tmp_path: Path, lake: FleetLake) -> None:
    asked = head.Head(config_of(tmp_path), lake)
    push = {"command": "push", "archive": "--help", "folder": "/data", "overwrite": True}
    script, words = asked.words_for("id", push)
    assert script == "push.py"
    assert words[2:] == ["--overwrite", "--name=--help", "--", f"{lake.lake}/_fleets/fleet/uploads/id", "/data"]


@pytest.mark.parametrize(("minutes", "told"), [(120, 0), (59, 1), (9, 1), (-5, 1)])
def test_whoever_is_on_is_told_of_the_end(
    tmp_path: Path, lake: FleetLake, monkeypatch: pytest.MonkeyPatch, minutes: int, told: int
) -> None:
    said: list[str] = []
    monkeypatch.setattr(units, "call", lambda *words: said.append(words[-1]))
    monkeypatch.setattr(units, "write_file", lambda *_: True)
    ends = datetime.now(timezone.utc) + timedelta(minutes=minutes)
    lake.write(lake.key("reaper.json"), {"ends": ends.isoformat()})
    watch = agent.Agent(config_of(tmp_path), None, lake)
    watch.warn()
    watch.warn()
    assert len(said) == told
    assert all(f"{ends:%H:%M} UTC" in line for line in said)


def test_what_fails_is_noted_and_the_rest_goes_on() -> None:
    def fail() -> None:
        raise FleetError("the lake can't be reached")

    duty = agent.Duty("users", 60, fail)
    duty.look()
    assert duty.problem == "the lake can't be reached"
    duty.do = lambda: {}["gone"]
    duty.look()
    assert duty.problem == "users: KeyError('gone')"
    duty.do = lambda: None
    duty.look()
    assert duty.problem is None


def test_a_file_is_there_whole_and_with_its_mode(tmp_path: Path) -> None:
    file = tmp_path / "secrets/spark"
    assert units.write_file(file, "secret", 0o600)
    assert not units.write_file(file, "secret", 0o600)
    assert file.stat().st_mode & 0o777 == 0o600
    # Whoever reads meanwhile sees one or the other.
    seen: set[str] = set()
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            seen.add(file.read_text())

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(200):
        units.write_file(file, ("a" if number % 2 else "b") * 10_000, 0o600)
    stop.set()
    reader.join()
    assert seen <= {"secret", "a" * 10_000, "b" * 10_000}


def test_a_machine_offers_less_than_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    class Facts:
        facts = {"address": "10.84.0.20"}  # noqa: RUF012

    sizes = {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 8 * 2**30 // 4096}
    monkeypatch.setattr(node.os, "sysconf", sizes.get)
    monkeypatch.setattr(node.os, "cpu_count", lambda: 2)
    lines = node.node_env(Facts()).splitlines()
    assert lines == ["ONEOFF_ADDRESS=10.84.0.20", "SPARK_WORKER_CORES=2", "SPARK_WORKER_MEMORY=2867m"]


def test_credentials_of_one_role_are_kept_though_another_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def assume(role: str, _node: str) -> dict[str, str]:
        if "run" in role:
            raise FleetError("not allowed")
        return {"Version": "1", "AccessKeyId": "AKIA"}

    monkeypatch.setattr(access, "assume", assume)
    monkeypatch.setattr(access, "FOLDER", tmp_path / "run")
    monkeypatch.setattr(access, "CONFIG", tmp_path / "access")
    roles = {"run": "arn:aws:iam::1:role/run", "users": "arn:aws:iam::1:role/users"}
    with pytest.raises(FleetError, match="not allowed"):
        access.renew(config_of(tmp_path, access=roles), "head")
    assert json.loads((tmp_path / "run/users.json").read_text())["AccessKeyId"] == "AKIA"
    assert not (tmp_path / "run/run.json").exists()
    assert "credential_process = /usr/bin/cat" in (tmp_path / "access/users").read_text()
