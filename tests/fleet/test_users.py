"""users.py on a machine that only remembers what it was told, and authorized_keys.py. users.test.ts has a real one."""

from __future__ import annotations

import base64
import errno
import json
import os
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import authorized_keys
import fleet_accounts
import pytest
import users
from fleet_support import Called, call

NOW = 1_796_000_000.0


def key(number: int, kind: str = "ssh-ed25519") -> str:
    """Type and key, as ssh-keygen writes them."""
    parts = (kind.encode(), bytes([number]) * 32)
    blob = b"".join(struct.pack(">I", len(part)) + part for part in parts)
    return f"{kind} {base64.b64encode(blob).decode()}"


def file_of(**keys: list[str]) -> str:
    """A file of users."""
    return json.dumps({"fleet": "test", "users": [{"name": name, "keys": found} for name, found in keys.items()]})


class Machine:
    """Accounts by name; `refuses` are programs that fail."""

    def __init__(self, folder: Path) -> None:
        """One with an account that isn't a user's."""
        self.folder = folder
        self.accounts: dict[str, int] = {"nginx": 990}
        self.done: list[str] = []
        self.refuses: set[str] = set()
        self.stays: set[int] = set()

    def command(self, program: str, *words: object) -> None:
        """Any program of the machine's."""
        name = str(words[-1])
        self.done.append(f"{program} {name} while {','.join(sorted(self.admitted()))} may enter")
        if program in self.refuses:
            raise users.FleetError(f"{program} ended with 1: it can't")
        if program == "useradd":
            self.accounts[name] = int(str(words[1]))
            (self.folder / "home" / name).mkdir()

    def end_processes(self, uids: list[int]) -> set[int]:
        """Of revoked users."""
        self.done += [f"end {uid}" for uid in uids]
        return self.stays

    def admitted(self) -> dict[str, list[str]]:
        """Who may enter, by what."""
        file = self.folder / "admitted.json"
        return json.loads(file.read_text())["users"] if file.exists() else {}

    def made(self) -> dict[str, dict[str, object]]:
        """What is kept of the accounts."""
        return json.loads((self.folder / "state" / "accounts.json").read_text())


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    found = Machine(tmp_path)
    (tmp_path / "home").mkdir()
    monkeypatch.setattr(fleet_accounts, "HOMES", tmp_path / "home")
    monkeypatch.setattr(fleet_accounts, "command", found.command)
    monkeypatch.setattr(fleet_accounts, "end_processes", found.end_processes)
    monkeypatch.setattr(
        fleet_accounts, "end_sessions", lambda uids: found.done.extend(f"end sessions of {uid}" for uid in uids)
    )
    monkeypatch.setattr(fleet_accounts, "account_id", found.accounts.get)
    monkeypatch.setattr(fleet_accounts.os, "chown", lambda *_: None)
    return found


Sync = Callable[..., Called]


@pytest.fixture
def sync(machine: Machine, capsys: pytest.CaptureFixture[str]) -> Sync:
    def called(text: str | None, *arguments: object, age: float = 0) -> Called:
        file = machine.folder / "users.json"
        if text is not None:
            file.write_text(text)
            os.utime(file, times=(NOW - age, NOW - age))
        machine.done.clear()
        state = machine.folder / "state"
        places = ("--state", state, "--admitted", machine.folder / "admitted.json")
        return call(capsys, "users", "--file", file, *places, "sync", *arguments)

    return called


def test_accounts_follow_the_file(machine: Machine, sync: Sync) -> None:
    done = sync(file_of(ada=[f"{key(1)} ada@laptop"], bob=[key(2), key(3)]))
    assert (done.code, done.err) == (0, "")
    assert json.loads(done.out) == {"users": 2, "made": ["ada", "bob"], "opened": [], "revoked": []}
    assert machine.admitted() == {"ada": [key(1)], "bob": [key(2), key(3)]}
    assert machine.made() == {"ada": {"uid": 70000, "locked": False}, "bob": {"uid": 70001, "locked": False}}
    assert json.loads(sync(file_of(ada=[key(1), key(4)], bob=[key(2)])).out)["users"] == 2
    assert machine.done == ["end sessions of 70001"]
    assert machine.admitted() == {"ada": [key(1), key(4)], "bob": [key(2)]}


def test_who_is_revoked_may_not_enter_before_anything_else_is_done(machine: Machine, sync: Sync) -> None:
    sync(file_of(ada=[key(1)], bob=[key(2)]))
    done = sync(file_of(bob=[key(2)], eve=[key(3)]))
    assert json.loads(done.out) == {"users": 2, "made": ["eve"], "opened": [], "revoked": ["ada"]}
    assert machine.done == [
        "usermod ada while bob may enter",
        "end 70000",
        "groupadd eve while bob may enter",
        "useradd eve while bob may enter",
        "usermod eve while bob may enter",
    ]
    assert machine.made()["ada"] == {"uid": 70000, "locked": True}
    # What still comes to life for ada is ended at each call.
    sync(file_of(bob=[key(2)], eve=[key(3)]))
    assert machine.done == ["end 70000"]
    assert json.loads(sync(file_of(ada=[key(4)], bob=[key(2)], eve=[key(3)])).out)["opened"] == ["ada"]
    assert machine.admitted()["ada"] == [key(4)]
    assert sorted(each["uid"] for each in machine.made().values()) == [70000, 70001, 70002]


def test_nobody_at_all_may_be_in_it(machine: Machine, sync: Sync) -> None:
    sync(file_of(ada=[key(1)]))
    assert json.loads(sync(file_of()).out) == {"users": 0, "made": [], "opened": [], "revoked": ["ada"]}
    assert machine.admitted() == {}


def test_what_fails_for_one_user_is_told_and_tried_again_and_others_have_theirs(machine: Machine, sync: Sync) -> None:
    sync(file_of(ada=[key(1)]))
    machine.refuses = {"useradd"}
    done = sync(file_of(ada=[key(2)], bob=[key(3)]))
    assert (done.code, done.out, done.err) == (1, "", "users: bob: useradd ended with 1: it can't\n")
    assert machine.admitted() == {"ada": [key(2)]}
    machine.refuses = set()
    assert json.loads(sync(None).out)["made"] == ["bob"]
    assert machine.made()["bob"] == {"uid": 70001, "locked": False}

    machine.refuses = {"usermod"}
    machine.stays = {70000}
    done = sync(file_of(bob=[key(3)]))
    assert done.err == "users: ada: usermod ended with 1: it can't; ada: processes are left that can't be ended\n"
    assert machine.admitted() == {"bob": [key(3)]}
    machine.refuses, machine.stays = set(), set()
    assert json.loads(sync(None).out)["revoked"] == ["ada"]


def test_who_fills_the_disk_is_turned_out_nevertheless(
    machine: Machine, sync: Sync, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync(file_of(ada=[key(1)], bob=[key(2)]))
    write = users.write

    def full(file: Path, *more: Any) -> None:  # noqa: ANN401
        if file.is_relative_to(machine.folder / "state"):
            raise OSError(errno.ENOSPC, "No space left on device")
        write(file, *more)

    monkeypatch.setattr(users, "write", full)
    machine.refuses = {"usermod"}
    done = sync(file_of(bob=[key(2)]))
    assert (done.code, done.err) == (1, "users: ada: usermod ended with 1: it can't\n")
    machine.refuses = set()
    done = sync(file_of(bob=[key(2)]))
    assert (done.code, done.err) == (1, "users: ada: [Errno 28] No space left on device\n")
    assert "end 70000" in machine.done
    assert machine.admitted() == {"bob": [key(2)]}


def test_an_account_that_somebody_else_made_is_not_touched(machine: Machine, sync: Sync) -> None:
    sync(file_of(ada=[key(1)], bob=[key(2)]))
    machine.accounts["ada"] = 1234
    done = sync(file_of(ada=[key(1)], bob=[key(2)]))
    assert (done.code, machine.done) == (1, [])
    assert done.err.startswith('users: "ada" is an account, a group or a home of this machine that is no user\'s')
    sync(file_of(bob=[key(2)]))
    assert machine.done == ["end 70000"]


def test_a_file_counts_from_when_it_was_confirmed(machine: Machine, sync: Sync) -> None:
    def confirmed() -> float:
        return json.loads((machine.folder / "admitted.json").read_text())["confirmed"]

    sync(file_of(ada=[key(1)]), age=100)
    assert confirmed() == NOW - 100
    renewed = [sys.executable, "-c", ""]
    assert sync(None, "--fetch", *renewed).code == 0
    fetched = confirmed()
    assert fetched > NOW
    done = sync(file_of(bob=[key(1)]), "--fetch", "/missing")
    assert (done.code, json.loads(done.out)["revoked"]) == (1, ["ada"])
    assert done.err.startswith("users: /missing did not fetch the users: ")
    assert confirmed() == fetched


HOSTILE_NAMES = [
    "root",
    "nginx",
    "left",
    "../x",
    "-x",
    "",
    "Ada",
    "a b",
    "a\n",
    "a:b",
    "ä",
    "a" * 32,
    "systemd-x",
    7,
    None,
]
HOSTILE_KEYS = [
    f'command="id" {key(1)}',
    f"no-pty {key(1)}",
    f"{key(1)}\n{key(2)}",
    f"{key(1)}\r",
    f"{key(1)} \x1b[0m",
    f" {key(1)}",
    key(1)[:-4],
    key(1).replace("ssh-ed25519", "ssh-rsa"),
    key(1, "ssh-dss"),
    key(1, "ssh-ed25519-cert-v01@openssh.com"),
    "ssh-ed25519",
    "",
    None,
]
HOSTILE_FILES = [
    "",
    "{",
    "[" * 100_000,
    "null",
    "[]",
    "{}",
    '{"users": []}',
    '{"fleet": "x", "users": {}}',
    '{"fleet": 1}',
]
HOSTILE = [
    *[json.dumps({"fleet": "x", "users": [{"name": name, "keys": [key(2)]}]}) for name in HOSTILE_NAMES],
    *[json.dumps({"fleet": "x", "users": [{"name": "eve", "keys": [found]}]}) for found in HOSTILE_KEYS],
    *[json.dumps({"fleet": "x", "users": [{"name": "eve", "keys": found}]}) for found in ([], "x", None)],
    json.dumps({"fleet": "x", "users": [{"name": "eve", "keys": [key(1)]}] * 2}),
    json.dumps({"fleet": "x", "users": ["eve"]}),
    file_of(ada=[key(1)])[:-1],
    file_of(ada=[key(1)]) + " " * users.MOST_BYTES,
    *HOSTILE_FILES,
]


def test_a_file_that_is_hostile_or_half_there_changes_nothing(machine: Machine, sync: Sync) -> None:
    (machine.folder / "home" / "left").mkdir()
    sync(file_of(ada=[key(1)]))
    before = machine.made(), machine.admitted()
    for text in HOSTILE:
        done = sync(text)
        assert (done.code, done.out, machine.done) == (1, "", []), text[:200]
        assert done.err.startswith("users: ") and done.err.endswith("; nothing was changed\n"), done.err
        assert done.err.count("\n") == 1
    (machine.folder / "users.json").chmod(0o666)
    assert "others than root may write to it" in sync(file_of()).err
    (machine.folder / "users.json").unlink()
    assert sync(None).err.endswith("which can't be read: No such file or directory; nothing was changed\n")
    assert (machine.made(), machine.admitted()) == before


def test_keys_are_given_out_while_they_are_confirmed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "admitted.json"
    file.write_text(json.dumps({"confirmed": NOW, "users": {"ada": [key(1), key(2)]}}))
    options = "restrict,port-forwarding,pty"
    expected = [f"{options} {key(1)} ada", f"{options} {key(2)} ada"]
    for age in (-60, 0, 600):
        assert authorized_keys.lines(file, "ada", NOW + age) == expected
    assert authorized_keys.lines(file, "eve", NOW) == []
    for age in (-61, 601):
        assert authorized_keys.lines(file, "ada", NOW + age) == []
    assert "was not confirmed for 601 s: nobody may enter" in capsys.readouterr().err
    for text in ("", "{}", '{"confirmed": "now"}', "[]"):
        file.write_text(text)
        done = call(capsys, "authorized_keys", "--file", file, "ada")
        assert (done.code, done.out) == (1, "")
