"""What goes on on a machine of a fleet, as far as it needs no systemd; `npm run test:boot` has the rest."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import access
import agent
import head
import node
import node_config
import pytest
import tidy
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
    "pages": {"hdfs": "10.84.0.10:9870"},
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


@pytest.mark.parametrize("broken", ["dnf", "aws", "sha256sum", "python3.11"])
def test_whatever_the_loader_ends_by_its_log_is_in_the_lake(tmp_path: Path, broken: str) -> None:
    """Of which `fleet status` tells why a machine didn't come up; in another root, and with stand-ins."""
    root, bin = tmp_path / "root", tmp_path / "bin"
    for folder in (bin, root / "etc/dnf/vars", root / "etc/oneoff", root / "var/lib/cloud/data"):
        folder.mkdir(parents=True)
    (root / "var/lib/cloud/data/instance-id").write_text("i-1\n")
    calls = tmp_path / "calls"
    for name in ("dnf", "aws", "sha256sum", "python3.11", "sleep", "python"):
        fails = f'case "$*" in *boot*) exit 0;; esac; exit {int(name == broken)}'
        (bin / name).write_text(f'#!/bin/sh\necho {name} "$*" >> {calls}\n{fails}\n')
        (bin / name).chmod(0o755)
    text = (Path(agent.__file__).parent / "loader.sh").read_text().replace("/opt/oneoff/python/bin/python", "python")
    for word in ("region", "bucket", "boot", "config", "installer", "manifest", "parts", "packages", "configDigest"):
        text = text.replace(f"{{{{{word}}}}}", word)
    for folder in ("etc", "var", "opt"):
        text = text.replace(f" /{folder}/", f" {root}/{folder}/").replace(f">/{folder}/", f">{root}/{folder}/")
    done = subprocess.run(["bash", "-c", text], env={**os.environ, "PATH": f"{bin}:{os.environ['PATH']}"})
    assert done.returncode != 0
    last = calls.read_text().splitlines()[-1]
    log = f"{root}/var/log/cloud-init-output.log"
    assert last == f"aws s3 cp --only-show-errors {log} s3://bucket/boot/i-1.log"


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


PUSH = {"command": "push", "archive": "a.tgz", "folder": "/data", "overwrite": False}
BAD_REQUESTS = [
    *["{}", "[]", '"push"', "7", "{", "", "\xff", "[" * 100_000, " " * (1 << 21)],
    *({"command": "push"}, {"command": "shutdown"}, {"command": ["push"]}, {"command": "push", "archive": "a"}),
    *({**PUSH, "archive": "a\0b"}, {**PUSH, "archive": "\ud800"}, {**PUSH, "folder": "/" + "a" * 200_000}),
    *({**PUSH, "folder": ["/data"]}, {**PUSH, "folder": None}),
]


@pytest.mark.parametrize("request_", BAD_REQUESTS, ids=range(len(BAD_REQUESTS)))
def test_what_is_no_request_is_answered_and_in_nobodys_way(
    tmp_path: Path, lake: FleetLake, monkeypatch: pytest.MonkeyPatch, request_: dict[str, Any] | str
) -> None:
    asked = head.Head(config_of(tmp_path), lake)
    done: list[str] = []
    monkeypatch.setattr(asked, "perform", lambda request, *_: done.append(request))
    lake.write(lake.key("requests/two.json"), PUSH)
    file = tmp_path / "lake" / lake.key("requests/one.json")
    file.write_text(request_ if isinstance(request_, str) else json.dumps(request_), encoding="latin-1")
    for _ in range(2):
        asked.look()
        asked.threads["request"].join()
    answer = lake.read_json(lake.key("answers/one.json"))
    assert (answer["state"], answer["refused"]) == ("failed", True)
    assert (asked.answered, done) == ({"one", "two"}, ["two"])


def test_a_run_is_begun_once_there_are_credentials_and_again_where_that_failed(
    tmp_path: Path, lake: FleetLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(head, "RUNS", tmp_path / "runs")
    monkeypatch.setattr(head, "BEGUN", tmp_path / "begun")
    monkeypatch.setattr(access, "FOLDER", tmp_path / "access")
    calls: list[str] = []
    fails = [True]

    def call(*words: str) -> None:
        calls.append(words[-1])
        if fails:
            raise FleetError("systemctl can't be run")

    monkeypatch.setattr(units, "call", call)
    lake.write(lake.key("runs/1.zip"), "the driver")
    fleet = head.Head(config_of(tmp_path, access={"run": "arn:aws:iam::1:role/run"}), lake)
    fleet.start_run()
    assert calls == []
    access.keep("users", {})
    (tmp_path / "access/users.json").rename(tmp_path / "access/run.json")
    lake.write(lake.key("requests/one.json"), {})
    with pytest.raises(FleetError, match="systemctl"):
        fleet.look()
    fleet.threads["request"].join()
    assert fleet.answered == {"one"}, "a run that can't be begun is in nobody's way"
    fails.clear()
    fleet.look()
    fleet.look()
    assert calls == ["oneoff-run@1.service"] * 2
    assert (tmp_path / "runs/1/run.zip").read_text() == '"the driver"'


@pytest.mark.parametrize("members", ["{", "[]", "7", '{"nodes": []}', '{"replication": 2, "nodes": [{"name": "a"}]}'])
def test_data_nodes_stay_where_it_can_not_be_told_which_are_wanted(
    tmp_path: Path, lake: FleetLake, monkeypatch: pytest.MonkeyPatch, members: str
) -> None:
    fleet = head.Head(config_of(tmp_path), lake)
    monkeypatch.setattr(fleet, "perform", lambda *_, **__: pytest.fail("something was done"))
    lake.write(lake.key("members.json"), {})
    (tmp_path / "lake" / lake.key("members.json")).write_text(members)
    with pytest.raises(FleetError, match=r"members\.json"):
        fleet.look()
    (tmp_path / "lake" / lake.key("members.json")).unlink()
    fleet.look()


def test_what_is_waited_for_ends_when_something_else_is_wanted(
    tmp_path: Path, lake: FleetLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "hdfs_nodes.py").write_text("import time\ntime.sleep(60)\n")
    monkeypatch.setattr(head, "HERE", tmp_path)
    monkeypatch.setattr(head, "TELL_S", 0.05)
    fleet = head.Head(config_of(tmp_path), lake)
    lake.write(lake.key("members.json"), {"nodes": [], "replication": 2})
    fleet.look()
    while lake.read(lake.key("answers/members.json")) is None:
        time.sleep(0.01)
    lake.write(
        lake.key("members.json"), {"nodes": [{"name": "data-1", "address": "10.84.0.11:9866"}], "replication": 2}
    )
    fleet.threads["members"].join(20)
    assert not fleet.is_at("members")
    assert fleet.members is None


def test_a_request_is_a_script_with_arguments_and_no_more(tmp_path: Path, lake: FleetLake) -> None:
    asked = head.Head(config_of(tmp_path), lake)
    push = {"command": "push", "archive": "--help", "folder": "/data", "overwrite": True}
    script, words = asked.words_for("id", push)
    assert script == "push.py"
    assert words[2:] == ["--overwrite", "--name=--help", "--", f"{lake.lake}/_fleets/fleet/uploads/id", "/data"]


def test_a_run_is_ended_while_something_else_is_done(
    tmp_path: Path, lake: FleetLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    called: list[tuple[str, ...]] = []
    monkeypatch.setattr(units, "call", lambda *words: called.append(words))
    pushed, going_on = threading.Event(), threading.Event()
    asked = head.Head(config_of(tmp_path), lake)

    def perform(*_: object) -> int:
        going_on.set()
        pushed.wait(10)
        return 0

    monkeypatch.setattr(asked, "perform", perform)
    lake.write(lake.key("requests/a.json"), {"command": "push", "archive": "a", "folder": "/a", "overwrite": False})
    lake.write(lake.key("requests/cancel-1.json"), {"command": "cancel", "run": "1"})
    asked.look()
    assert going_on.wait(10)
    asked.threads["cancel"].join(10)
    assert called == [("systemctl", "stop", "oneoff-run@1.service")]
    assert lake.read_json(lake.key("answers/cancel-1.json"))["state"] == "done"
    lake.write(lake.key("requests/cancel-2.json"), {"command": "cancel", "run": "../2"})
    asked.look()
    asked.threads["cancel"].join(10)
    answer = lake.read_json(lake.key("answers/cancel-2.json"))
    assert (answer["state"], answer["refused"], len(called)) == ("failed", True, 1)
    pushed.set()
    asked.threads["request"].join(10)
    assert asked.answered == {"a", "cancel-1", "cancel-2"}


def test_what_is_done_goes_a_day_later_and_what_nobody_asks_any_more_in_a_week(lake: FleetLake) -> None:
    day = 86_400

    def put(name: str, days: float, content: object = None, of: FleetLake = lake) -> None:
        of.write(of.key(name), content)
        then = time.time() - days * day
        os.utime(Path(of.lake, of.key(name)), (then, then))

    other = FleetLake(lake.lake, "other")
    for each in (lake, other):
        for name in ("done", "going", "fresh"):
            put(f"uploads/{name}", 3, of=each)
            put(f"requests/{name}.json", 3, of=each)
        put("answers/done.json", 1.1, {"state": "failed"}, each)
        put("answers/going.json", 1.1, {"state": "running"}, each)
        put("answers/fresh.json", 0.9, {"state": "done"}, each)
    put("answers/members.json", 30, {"state": "done"})
    put("requests/stale.json", 7.1)
    put("uploads/stale", 7.1)
    put("uploads/alone", 6.9)
    gone = ["uploads/done", "uploads/stale", "requests/done.json", "requests/stale.json", "answers/done.json"]
    assert tidy.tidy(lake) == gone
    assert tidy.tidy(lake) == []
    left = [file.base_name for name in ("requests", "answers", "uploads") for file in lake.list(lake.key(name))]
    assert left == ["fresh.json", "going.json", "fresh.json", "going.json", "members.json", "alone", "fresh", "going"]
    assert [file.base_name for file in other.list(other.key("uploads"))] == ["done", "fresh", "going"]


def test_an_object_of_a_bucket_is_removed_by_its_key_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[tuple[str, ...]] = []
    monkeypatch.setattr(units, "call", lambda *words: called.append(words))
    monkeypatch.setenv("AWS_REGION", "us-west-2")
    bucket = FleetLake("s3://the-lake", "fleet")
    bucket.remove(bucket.key("requests/1.json"))
    assert called == [("aws", "s3", "rm", "--only-show-errors", "s3://the-lake/_fleets/fleet/requests/1.json")]


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


def test_the_end_is_told_also_when_the_lake_does_not_answer(
    tmp_path: Path, lake: FleetLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(units, "call", lambda *words: said.append(words[-1]))
    monkeypatch.setattr(units, "write_file", lambda *_: True)
    ends = datetime.now(timezone.utc) + timedelta(minutes=90)
    lake.write(lake.key("reaper.json"), {"ends": ends.isoformat()})
    watch = agent.Agent(config_of(tmp_path), None, lake)
    watch.warn()
    monkeypatch.setattr(agent.time, "time", lambda: ends.timestamp() - 500)
    for broken in ("{", "{}", '{"ends": "soon"}'):
        (tmp_path / "lake" / lake.key("reaper.json")).write_text(broken)
        with pytest.raises((FleetError, KeyError, ValueError)):
            watch.warn()
    assert len(said) == 1


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
    assert lines[:3] == ["ONEOFF_ADDRESS=10.84.0.20", "SPARK_WORKER_CORES=2", "SPARK_WORKER_MEMORY=2867m"]
    assert lines[3:] == ["YARN_NODE_CORES=4", "YARN_NODE_MEBIBYTES=7168"]


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
    access.settle(config_of(tmp_path, access=roles))
    assert json.loads((tmp_path / "run/users.json").read_text())["AccessKeyId"] == "AKIA"
    assert not (tmp_path / "run/run.json").exists()
    assert "credential_process = /usr/bin/cat" in (tmp_path / "access/users").read_text()


BOOTED = datetime(2026, 1, 1, 8, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("told", "rests"),
    [
        (None, False),
        ({"looked": 60, "nodesStop": None}, False),
        ({"looked": 60, "nodesStop": 66}, False),
        ({"looked": 60, "nodesStop": 64}, True),
        ({"looked": 60, "nodesStop": 58, "stopping": 59}, True),
        # They are stopped, and not off yet.
        ({"looked": 60, "nodesStop": None, "stopping": 59}, True),
        # It was said before the machine was started.
        ({"looked": -1, "nodesStop": None, "stopping": -5}, False),
        ({"looked": -1, "nodesStop": -5}, False),
        # The reaper looks no more.
        ({"looked": 40, "nodesStop": 45}, False),
    ],
)
def test_hdfs_is_to_rest_while_the_reaper_is_about_to_stop_the_machines(
    told: dict[str, Any] | None, rests: bool
) -> None:
    """Minutes since the machine was started; it is the 65th."""
    moments = told and {
        key: value if value is None else (BOOTED + timedelta(minutes=value)).isoformat() for key, value in told.items()
    }
    booted = BOOTED.timestamp()
    assert head.is_to_rest(moments, booted, booted + 65 * 60) is rests


def test_all_data_nodes_rest_and_come_back_and_the_owner_is_answered_of_neither(
    tmp_path: Path, lake: FleetLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = head.Head(config_of(tmp_path), lake)
    called: list[tuple[str, list[str]]] = []
    codes = iter([1, 0, 0])

    def perform(answer: str, _script: str, words: list[str], *_: object) -> int:
        called.append((answer, words[words.index("--wanted") :]))
        return next(codes)

    monkeypatch.setattr(asked, "perform", perform)
    lake.write(
        lake.key("members.json"), {"replication": 2, "nodes": [{"name": "data-1", "address": "10.84.0.20:9866"}]}
    )

    def look(**told: Any) -> bool:  # noqa: ANN401
        lake.write(lake.key("reaper.json"), {"looked": agent_now(), "nodesStop": None, **told})
        asked.follow_members()
        asked.threads["members"].join()
        return asked.rests

    assert not look(stopping=agent_now())
    assert look(stopping=agent_now())
    assert look(stopping=agent_now())
    assert not look()
    wanted = ["--wanted", "10.84.0.20:9866", "--maintenance"]
    resting = [*wanted, "10.84.0.20:9866", "--patience", "60", "--", head.ENTRYPOINT, "refresh-nodes"]
    assert called == [
        ("rest", resting),
        ("rest", resting),
        ("members", [*wanted, "--patience", "86400", "--", head.ENTRYPOINT, "refresh-nodes"]),
    ]


def agent_now(minutes: float = 0) -> str:
    return (datetime.now(timezone.utc) + timedelta(minutes=minutes)).isoformat()


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"clock": {"off": 61, "on": 200}}, []),
        ({"clock": {"off": 59, "on": 200}}, ["All machines of this fleet are stopped at {off}, with whoever is on."]),
        ({"nodesStop": 5, "power": {"state": "on"}}, []),
        (
            {"nodesStop": -1, "power": {"state": "off"}},
            ["All machines of this fleet are being stopped, in some minutes."],
        ),
    ],
)
def test_whoever_is_on_is_told_that_the_machines_are_stopped(
    tmp_path: Path, lake: FleetLake, monkeypatch: pytest.MonkeyPatch, told: dict[str, Any], said: list[str]
) -> None:
    lines: list[str] = []
    motd: list[str] = []
    monkeypatch.setattr(units, "call", lambda *words: lines.append(words[-1]))
    monkeypatch.setattr(units, "write_file", lambda _, text: motd.append(text))
    off = told.get("clock", {}).get("off")
    if off:
        told = {"clock": {key: agent_now(value) for key, value in told["clock"].items()}}
        said = [line.format(off=f"{datetime.fromisoformat(told['clock']['off']):%H:%M} UTC") for line in said]
    elif "nodesStop" in told:
        told = {**told, "nodesStop": agent_now(told["nodesStop"])}
    lake.write(lake.key("reaper.json"), {"ends": agent_now(600), **told})
    watch = agent.Agent(config_of(tmp_path), None, lake)
    watch.warn()
    watch.warn()
    assert [line[: len(start)] for line, start in zip(lines, said, strict=True)] == said
    assert motd == ["".join(f"{line}\n" for line in lines)] * 2
