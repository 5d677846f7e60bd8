"""idle.py against what stands in for a master, JupyterLab, sshd's processes and nvidia-smi."""

from __future__ import annotations

import http.server
import json
import os
import pwd
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import fleet_accounts
import idle
import pytest
from fleet_support import call, say, serving

ME = pwd.getpwuid(os.getuid()).pw_name
NOW = 1_796_000_000.0
AT_NOW = "2026-11-30T00:53:20+00:00"
UNREADABLE = "gave no answer that can be read: "


def application(name: str = "sweep", cores: int = 0, user: str = ME) -> dict[str, Any]:
    """As a master tells of one."""
    return {"id": "app-1", "name": name, "cores": cores, "user": user, "starttime": 0, "state": "RUNNING"}


class Machine:
    """All that is looked at; nothing is done there."""

    def __init__(self, folder: Path) -> None:
        """A master, a JupyterLab, and no GPU."""
        self.folder = folder
        self.now = NOW
        self.place = ""
        self.master: object = {"activeapps": []}
        self.kernels: object = []
        self.sessions: list[dict[str, Any]] = []
        (folder / "proc").mkdir()
        (folder / "token").write_text("t0ken\n")

    def answer(self, handler: http.server.BaseHTTPRequestHandler, _: bytes) -> None:
        """Any request."""
        if handler.path == "/json/":
            return say(handler, self.master)
        if handler.headers["Authorization"] != "token t0ken":
            return say(handler, {}, 403)
        return say(
            handler, {"sessions": self.sessions, "kernels": self.kernels}[handler.path.removeprefix("/lab/api/")]
        )

    def kernel(self, ago: float, name: str = "python3", state: str = "idle", **other: str) -> dict[str, Any]:
        """A kernel, as JupyterLab tells of it."""
        last = datetime.fromtimestamp(self.now - ago, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        return {"id": "k1", "name": name, "execution_state": state, "last_activity": last, **other}

    def process(self, number: int, program: str, uid: int) -> None:
        """One that runs."""
        made = self.folder / "proc" / str(number)
        made.mkdir()
        (made / "exe").symlink_to(program)
        os.chown(made, uid, -1)

    def smi(self, script: str) -> None:
        """What nvidia-smi does."""
        (self.folder / "nvidia-smi").write_text(f"#!/bin/sh\n{script}\n")
        (self.folder / "nvidia-smi").chmod(0o755)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    found = Machine(tmp_path)
    monkeypatch.setattr(fleet_accounts, "PROC", tmp_path / "proc")
    monkeypatch.setattr(idle.time, "time", lambda: found.now)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with serving(found.answer) as found.place:
        yield found


Look = Callable[..., dict[str, Any]]


@pytest.fixture
def look(machine: Machine, capsys: pytest.CaptureFixture[str]) -> Look:
    def called(*arguments: object) -> dict[str, Any]:
        notebook = ("--jupyter", f"http://{machine.place}/lab", "--token-file", machine.folder / "token")
        state = machine.folder / "state.json"
        done = call(capsys, "idle", "--state", state, "--master", machine.place, *notebook, *arguments)
        assert (done.code, done.err) == (0, "")
        assert done.out.count("\n") == 1
        return json.loads(done.out)

    return called


def test_since_when_it_is_idle_is_kept(machine: Machine, look: Look) -> None:
    assert look() == {"busy": False, "reasons": [], "idleSince": AT_NOW, "looked": AT_NOW}
    machine.now += 60
    assert look() == {"busy": False, "reasons": [], "idleSince": AT_NOW, "looked": "2026-11-30T00:54:20+00:00"}
    machine.master = {"activeapps": [application(cores=2)]}
    assert look()["idleSince"] is None
    machine.master = {"activeapps": []}
    assert look()["idleSince"] == "2026-11-30T00:54:20+00:00"


@pytest.mark.parametrize("step", [-3600, 3600])
def test_a_clock_that_jumps_and_a_time_off_are_no_idle_time(machine: Machine, look: Look, step: int) -> None:
    look()
    machine.now += step
    found = look()
    assert found["idleSince"] == found["looked"]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"looked": 1796000000, "since": 1}', '{"looked": "x"}'])
def test_a_state_that_is_spoilt_begins_anew(machine: Machine, look: Look, text: str) -> None:
    (machine.folder / "state.json").write_text(text)
    assert look()["idleSince"] == AT_NOW


def test_a_state_that_cannot_be_written_is_an_error(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    state = machine.folder / "missing" / "state.json"
    done = call(capsys, "idle", "--state", state)
    assert (done.code, done.out) == (1, "")
    assert done.err == f"idle: --state is {state}, which can't be written: No such file or directory\n"


def test_applications_count_but_for_those_of_idle_notebooks(machine: Machine, look: Look) -> None:
    machine.master = {"activeapps": [application(cores=2), application("later"), application("x\n" * 99, user="bob")]}
    assert look()["reasons"] == [
        f"{ME}'s application sweep holds 2 cores",
        f"{ME}'s application later waits for cores",
        f"bob's application {'x ' * 40} waits for cores",
    ]
    machine.kernels = [machine.kernel(ago=3600)]
    assert look()["reasons"][:1] == [f"{ME}'s application sweep holds 2 cores"]
    machine.master = {"activeapps": [application("later")]}
    assert look()["reasons"] == []
    machine.kernels = [machine.kernel(ago=3600), machine.kernel(ago=1)]
    assert look()["reasons"][-1:] == [f"{ME}'s application later waits for cores"]


def test_kernels_count_while_they_are_used(machine: Machine, look: Look) -> None:
    machine.sessions = [{"path": "work/train.ipynb", "kernel": {"id": "k1"}}, {"path": "old", "kernel": None}]
    machine.kernels = [
        machine.kernel(ago=3600, state="busy"),
        machine.kernel(ago=299, id="k2"),
        machine.kernel(ago=301, id="k3", state="starting"),
    ]
    reasons = [f"{ME}'s kernel work/train.ipynb is busy", f"{ME}'s kernel python3 was used 5 minutes ago"]
    assert look()["reasons"] == reasons
    assert look("--active", 10)["reasons"] == reasons[:1]


@pytest.mark.skipif(os.getuid() != 0, reason="gives files to others")
def test_sessions_of_users_count_and_other_processes_do_not(machine: Machine, look: Look) -> None:
    machine.process(10, "/usr/sbin/sshd", 0)
    machine.process(11, "/usr/bin/sleep", 70_001)
    machine.process(12, "/usr/sbin/sshd", 1000)
    assert look()["reasons"] == []
    machine.process(13, "/usr/sbin/sshd", 70_002)
    machine.process(14, "/usr/sbin/sshd", 70_002)
    machine.process(15, "/usr/libexec/openssh/sshd-session (deleted)", 70_001)
    assert look()["reasons"] == ["user 70001 has an SSH session", "user 70002 has an SSH session"]


def test_a_gpu_counts_while_it_is_used_and_for_some_time_after(machine: Machine, look: Look) -> None:
    ask = ("--gpu-below", 5, "--for", 120)
    machine.smi("echo '0, 97, 40000\n1, 4, 9000'")
    assert look(*ask)["reasons"] == ["GPU 0 is at 97 %"]
    assert look()["reasons"] == []
    machine.smi("echo '0, 0, 40000\n1, 4, 9000'")
    machine.now += 119
    assert look(*ask)["reasons"] == ["GPU 0 was in use 119 s ago; it is at 0 % now, and 40000 MiB are held"]
    machine.now += 1
    found = look(*ask)
    assert (found["reasons"], found["idleSince"]) == ([], found["looked"])


def test_what_cannot_be_asked_counts(machine: Machine, look: Look, capsys: pytest.CaptureFixture[str]) -> None:
    (machine.folder / "token").write_text("another")
    machine.smi("echo 'NVIDIA-SMI has failed'; exit 9")
    machine.master = {}
    found = look("--gpu-below", 5)
    assert (found["busy"], found["idleSince"]) == (True, None)
    notebook = f"the notebook http://{machine.place}/lab"
    assert found["reasons"] == [
        f"{notebook} does not take the token: give its own by --token-file",
        f"the master {machine.place} {UNREADABLE}KeyError('activeapps')",
        "nvidia-smi ended with 9: NVIDIA-SMI has failed",
    ]
    (machine.folder / "token").write_text("t0ken")
    machine.kernels = [{"id": "k1"}]
    machine.smi("echo '0, [N/A], [N/A]'")
    assert look("--gpu-below", 5)["reasons"] == [
        f"{notebook} {UNREADABLE}KeyError('name')",
        f"the master {machine.place} {UNREADABLE}KeyError('activeapps')",
        "nvidia-smi doesn't tell how much is used: 0, [N/A], [N/A]",
    ]
    state = machine.folder / "state.json"
    nobody = ("--jupyter", "http://127.0.0.1:1/", "--token-file", machine.folder / "token")
    done = call(capsys, "idle", "--state", state, "--master", "127.0.0.1:1", *nobody)
    assert json.loads(done.out)["reasons"] == [
        "the notebook http://127.0.0.1:1/ does not answer: Connection refused",
        "the master 127.0.0.1:1 does not answer: Connection refused",
    ]


@pytest.mark.parametrize("text", ["0", "101", "x", "-1", "nan"])
def test_arguments_that_are_none_are_refused(machine: Machine, capsys: pytest.CaptureFixture[str], text: str) -> None:
    state = machine.folder / "state.json"
    assert call(capsys, "idle", "--state", state, "--gpu-below", text).code == 2
    assert call(capsys, "idle", "--state", state, "--jupyter", "http://127.0.0.1:1/").code == 2
    assert not state.exists()
