"""hdfs_nodes.py against what a namenode would say."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hdfs_nodes
import pytest
from fleet_support import Called, FakeHdfs, call, fake_hdfs, live

A, B, C = "127.0.0.1:9866", "127.0.0.1:9876", "127.0.0.1:9886"


def node(address: str, **other: object) -> dict[str, Any]:
    """A live one at an address."""
    return live(int(address.rpartition(":")[2]), xferaddr=address, **other)


@pytest.fixture
def hdfs(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHdfs]:
    monkeypatch.setattr(hdfs_nodes, "LOOK_S", 0.01)
    monkeypatch.setattr(hdfs_nodes, "COMMAND_TRIES_S", 0.01)
    monkeypatch.setattr(hdfs_nodes, "CHECK_S", 0)
    with fake_hdfs() as fake:
        fake.live = {each: node(each) for each in (A, B, C)}
        yield fake


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "members.json"


@pytest.fixture
def set_nodes(hdfs: FakeHdfs, file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):  # noqa: ANN201
    """Calls it with a command that notes what the file has by then."""

    def called(
        *wanted: str, maintenance: tuple[str, ...] = (), patience: int = 5, command: str = "cat {} >> {}"
    ) -> Called:
        options = ["--replication", 2, "--patience", patience, "--maintenance", *maintenance]
        told = ["--namenode", hdfs.place, "--members", file, *options, "--wanted", *wanted]
        shell = command.format(f"'{file}'", f"'{tmp_path / 'refreshed'}'")
        return call(capsys, "hdfs_nodes", *told, "--", "sh", "-c", shell)

    return called


def states(file: Path) -> dict[str, str]:
    """What is in the file."""
    return {f"{each['hostName']}:{each['port']}": each["adminState"] for each in json.loads(file.read_text())}


def later(hdfs: FakeHdfs, change: Callable[[], None], looks: int = 3) -> None:
    """Does something once the namenode was asked so many times."""
    bean = hdfs.bean
    asked = iter(range(1_000_000))

    def counted(name: str) -> dict[str, Any]:
        if next(asked) == looks:
            change()
        return bean(name)

    hdfs.bean = counted


def test_a_first_call_writes_the_file_and_has_it_read(file: Path, set_nodes) -> None:  # noqa: ANN001
    assert set_nodes(A, B, C) == (0, "", "")
    assert states(file) == {A: "NORMAL", B: "NORMAL", C: "NORMAL"}
    assert (file.parent / "refreshed").read_text() == file.read_text()
    assert sorted(each.name for each in file.parent.iterdir()) == ["members.json", "refreshed"]


def test_a_namenode_that_is_not_there_reads_it_when_it_starts(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = ["--namenode", "127.0.0.1:1", "--members", file, "--replication", 1, "--wanted", A]
    assert call(capsys, "hdfs_nodes", *told, "--", "false") == (0, "", "")
    assert states(file) == {A: "NORMAL"}


def test_a_first_call_throws_out_none_that_is_there(hdfs: FakeHdfs, file: Path, set_nodes) -> None:  # noqa: ANN001
    hdfs.live[C] = node(C, adminState="Decommissioned")
    assert set_nodes(A, B).code == 0
    assert states(file) == {A: "NORMAL", B: "NORMAL", C: "DECOMMISSIONED"}


def test_one_that_is_not_wanted_any_more_leaves(hdfs: FakeHdfs, file: Path, set_nodes) -> None:  # noqa: ANN001
    set_nodes(A, B, C)
    hdfs.live[C] = node(C, adminState="Decommission In Progress")
    hdfs.leaving = {"c": {"xferaddr": C, "underReplicatedBlocks": 2}}
    later(hdfs, lambda: hdfs.live.update({C: node(C, adminState="Decommissioned")}))
    done = set_nodes(A, B)
    assert done == (
        0,
        "",
        f"hdfs: {C} is being decommissioned: 2 blocks left\nhdfs: {C} is decommissioned\n",
    )
    assert states(file) == {A: "NORMAL", B: "NORMAL", C: "DECOMMISSIONED"}
    # The same again, once it was stopped: it is forgotten.
    del hdfs.live[C]
    hdfs.dead[C] = {"xferaddr": C, "lastContact": 100}
    assert set_nodes(A, B) == (0, "", "")
    assert states(file) == {A: "NORMAL", B: "NORMAL"}
    assert set_nodes(A, B, C).code == 0
    assert states(file) == {A: "NORMAL", B: "NORMAL", C: "NORMAL"}


def test_one_that_is_dead_is_gone_once_there_are_enough_copies(hdfs: FakeHdfs, set_nodes) -> None:  # noqa: ANN001
    set_nodes(A, B, C)
    del hdfs.live[C]
    hdfs.dead[C] = {"xferaddr": C, "lastContact": 100}
    hdfs.blocks["PendingReconstructionBlocks"] = 4
    later(hdfs, lambda: hdfs.blocks.update(PendingReconstructionBlocks=0), looks=5)
    done = set_nodes(A, B)
    assert done.code == 0
    assert done.err.splitlines() == [
        f"hdfs: {C} is being decommissioned: it is dead, and 4 blocks have too few copies",
        f"hdfs: {C} is decommissioned",
    ]


def test_one_that_is_dead_waits_for_no_copy_that_there_can_not_be(hdfs: FakeHdfs, set_nodes) -> None:  # noqa: ANN001
    set_nodes(A, B, C)
    del hdfs.live[C]
    hdfs.dead[C] = {"xferaddr": C, "lastContact": 100}
    hdfs.blocks["LowRedundancyBlocks"] = 3
    hdfs.short = [(3, 2), (10, 2), (2, 1)]
    done = set_nodes(A, B, patience=1)
    assert (done.code, done.err.splitlines()[0]) == (
        1,
        f"hdfs: {C} is being decommissioned: it is dead, and 1 block has too few copies",
    )
    hdfs.short.pop()
    assert set_nodes(A, B) == (0, "", "")


def test_too_long_says_what_is_left(hdfs: FakeHdfs, set_nodes) -> None:  # noqa: ANN001
    set_nodes(A, B, C)
    hdfs.live[C] = node(C, adminState="Decommission In Progress")
    hdfs.leaving = {"c": {"xferaddr": C, "underReplicatedBlocks": 1}}
    done = set_nodes(A, B, patience=1)
    assert done.code == 1
    assert done.err.splitlines()[-1] == (
        f"hdfs: after 1 seconds {C} is still being decommissioned, 1 block left; calling it again goes on"
    )
    hdfs.dead[C] = {"xferaddr": C, "lastContact": 1}
    del hdfs.live[C]
    hdfs.blocks["MissingBlocks"] = 2
    done = set_nodes(A, B, patience=1)
    assert "it is dead, and 2 blocks have no copy: start it again, or delete the files" in done.err.splitlines()[-1]


def test_maintenance_and_back(file: Path, set_nodes) -> None:  # noqa: ANN001
    assert set_nodes(A, B, C, maintenance=(C,)).code == 0
    assert states(file) == {A: "NORMAL", B: "NORMAL", C: "IN_MAINTENANCE"}
    assert set_nodes(A, B, C).code == 0
    assert states(file)[C] == "NORMAL"


def test_all_may_be_stopped_once_the_namenode_has_them_in_maintenance(hdfs: FakeHdfs, set_nodes) -> None:  # noqa: ANN001
    set_nodes(A, B, C)
    hdfs.live = {each: node(each, adminState="Entering Maintenance") for each in (A, B, C)}
    done = set_nodes(A, B, C, maintenance=(A, B, C), patience=1)
    assert done.code == 1
    assert f" {A}, {B}, {C} can't be stopped yet: the namenode still looks at what they hold" in done.err
    later(hdfs, lambda: hdfs.live.update({each: node(each, adminState="In Maintenance") for each in (A, B, C)}))
    assert set_nodes(A, B, C, maintenance=(A, B, C)) == (0, "", "")


def test_those_that_were_away_are_all_there_before_any_is_in_service(
    hdfs: FakeHdfs,
    file: Path,
    set_nodes,  # noqa: ANN001
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    set_nodes(A, B, C, maintenance=(A, B, C))
    del hdfs.live[C]
    hdfs.dead[C] = {"xferaddr": C, "lastContact": 100}
    seen: list[dict[str, str]] = []

    def come() -> None:
        seen.append(states(file))
        hdfs.live[C] = node(C, adminState="In Maintenance")

    later(hdfs, come)
    assert set_nodes(A, B, C) == (0, "", f"hdfs: waiting for {C} to come back\n")
    assert seen == [dict.fromkeys((A, B, C), "IN_MAINTENANCE")]
    assert states(file) == dict.fromkeys((A, B, C), "NORMAL")

    # One that doesn't come is given up.
    monkeypatch.setattr(hdfs_nodes, "BACK_S", 0.2)
    set_nodes(A, B, C, maintenance=(A, B, C))
    del hdfs.live[C]
    done = set_nodes(A, B, C)
    assert (done.code, states(file)[C]) == (0, "NORMAL")
    assert done.err.splitlines()[-1] == f"hdfs: going on without {C}"


def test_those_back_from_maintenance_have_room_for_one_that_leaves(
    hdfs: FakeHdfs,
    file: Path,
    set_nodes,  # noqa: ANN001
) -> None:
    set_nodes(A, B, C, maintenance=(A, B, C))
    hdfs.live = {each: node(each, adminState="In Maintenance") for each in (A, B)}
    hdfs.live[C] = node(C, adminState="Decommissioned")
    assert set_nodes(A, B).code == 0
    assert states(file) == {A: "NORMAL", B: "NORMAL", C: "DECOMMISSIONED"}


def test_safe_mode_is_waited_for_and_named(hdfs: FakeHdfs, file: Path, set_nodes) -> None:  # noqa: ANN001
    set_nodes(A, B, C)
    hdfs.safemode = "Safe mode is ON"
    done = set_nodes(A, B, patience=1)
    assert done == (
        1,
        "",
        "hdfs: after 1 seconds the namenode is in safe mode: data nodes that have blocks are missing; "
        "calling it again goes on\n",
    )
    assert states(file)[C] == "NORMAL"


def test_what_can_not_be_is_refused_before_the_file_is_touched(hdfs: FakeHdfs, file: Path, set_nodes) -> None:  # noqa: ANN001
    set_nodes(A, B, C)
    before = file.read_text()

    def refused(*wanted: str, **how: Any) -> str:  # noqa: ANN401
        done = set_nodes(*wanted, **how)
        assert (done.code, done.out, file.read_text()) == (2, "", before)
        return done.err

    assert refused(A) == (
        "hdfs: 1 data node can't keep 2 copies of each block: keep at least 2, or lower the replication first\n"
    )
    assert refused(A, A).startswith("hdfs: 1 data node can't keep 2 copies")
    assert refused() == "hdfs: --wanted names no data node, and HDFS would be gone: name those that stay\n"
    assert refused(A, B, maintenance=(C,)) == (
        f"hdfs: --maintenance has {C}, which is not in --wanted: name it there too\n"
    )
    for each in (A, B):
        hdfs.live[each]["remaining"] = 700  # of one disk
    assert refused(A, B) == (
        f"hdfs: {C} holds 1.0 kB, and the data nodes that stay have 700 bytes left: "
        "delete what is not needed, or keep more data nodes\n"
    )


def test_a_file_that_is_none_and_a_command_that_fails_are_sentences(file: Path, set_nodes) -> None:  # noqa: ANN001
    file.write_text("{")
    assert f"--members is {file}, which can't be read as data nodes" in set_nodes(A, B).err
    file.unlink()
    done = set_nodes(A, B, patience=1, command="echo the cable is out >&2; exit 3 # {} {}")
    assert done.code == 1
    assert "still fails: the cable is out; calling it again goes on" in done.err
