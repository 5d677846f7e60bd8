"""Has the accounts of a node follow the fleet's file of users, which a timer calls each minute.

Whoever is in the file has an account without a password, with a home that nobody else can read, and enters by their
keys. Whoever isn't in it any more loses keys, sessions and processes at once, and the account is locked. Files stay on
the node until the fleet ends: somebody who is in the file again has them again. Whoever has a key less loses sessions
alone. Accounts that this didn't make are never touched.

The file: {"fleet": "name", "users": [{"name": "ada", "keys": ["ssh-ed25519 AAAA... comment"]}]}. It counts as confirmed
when it was last changed, or, with --fetch, when that was begun. One with anything wrong in it changes nothing.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import fcntl
import json
import os
import re
import stat
import subprocess
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fleet_accounts as accounts
from fleet_hdfs import FleetError, run

STATE = Path("/var/lib/oneoff/users")
# In memory: users can fill a disk, and nobody could be turned out then.
ADMITTED = Path("/run/oneoff/admitted.json")
MOST_BYTES = 1 << 20
FETCH_S = 30
KEY_TYPES = frozenset(
    {
        "ssh-ed25519",
        "sk-ssh-ed25519@openssh.com",
        "ecdsa-sha2-nistp256",
        "ecdsa-sha2-nistp384",
        "ecdsa-sha2-nistp521",
        "sk-ecdsa-sha2-nistp256@openssh.com",
        "ssh-rsa",
    }
)


# The file -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Users:
    """What the file says: keys by user, and when that was last known to be so."""

    keys: dict[str, tuple[str, ...]]
    confirmed: float


def read_users(file: Path) -> Users:
    """All that a file says, or an error that tells what is wrong with it."""
    try:
        with file.open("rb") as opened:
            found = os.fstat(opened.fileno())
            data = opened.read(MOST_BYTES + 1)
    except OSError as error:
        raise FleetError(f"--file is {file}, which can't be read: {error.strerror}; nothing was changed") from error
    try:
        if found.st_uid not in (0, os.geteuid()) or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise FleetError("others than root may write to it")
        if len(data) > MOST_BYTES:
            raise FleetError(f"it is larger than {MOST_BYTES} bytes")
        return Users(users_of(data), min(found.st_mtime, time.time()))
    except FleetError as error:
        raise FleetError(f"--file is {file}: {error}; nothing was changed") from error


def users_of(data: bytes) -> dict[str, tuple[str, ...]]:
    """Keys by user."""
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise FleetError("it is no JSON, or only a part of it") from error
    users = found.get("users") if isinstance(found, dict) else None
    if not isinstance(users, list) or not isinstance(found.get("fleet"), str):
        raise FleetError('expected an object with a "fleet" and a list of "users"')
    keys: dict[str, tuple[str, ...]] = {}
    for user in users:
        name = name_of(user)
        if name in keys:
            raise FleetError(f'user "{name}" is in it twice')
        keys[name] = keys_of(name, user.get("keys"))
    return keys


def name_of(user: Any) -> str:  # noqa: ANN401 -- JSON
    """Of a user, if it can be an account's."""
    name = user.get("name") if isinstance(user, dict) else None
    if not isinstance(name, str) or not re.fullmatch(r"[a-z][a-z0-9_-]{0,30}", name) or name.startswith("systemd-"):
        raise FleetError(
            f'{json.dumps(name)} is no name of a user: expected a letter and up to 30 letters, digits, "-" and "_", '
            "all lower case"
        )
    return name


def keys_of(name: str, lines: Any) -> tuple[str, ...]:  # noqa: ANN401 -- JSON
    """Type and key of each, without what else a line says."""
    if not isinstance(lines, list) or not lines:
        raise FleetError(f'user "{name}" has no keys: expected a list of lines such as "ssh-ed25519 AAAA..."')
    keys = []
    for number, line in enumerate(lines, 1):
        key = key_of(line) if isinstance(line, str) else None
        if key is None:
            kinds = ", ".join(sorted(KEY_TYPES))
            raise FleetError(f'key {number} of user "{name}" is none: expected one line, {kinds}, without options')
        keys.append(key)
    return tuple(keys)


def key_of(line: str) -> str | None:
    """Type and key of a line, if it is one and nothing stands before it."""
    if not line.isascii() or not line.isprintable():
        return None
    kind, _, rest = line.partition(" ")
    encoded = rest.partition(" ")[0]
    try:
        blob = base64.b64decode(encoded, validate=True)
    except ValueError:
        return None
    parts = parts_of(blob)
    whole = parts is not None and len(parts) > 1 and base64.b64encode(blob).decode() == encoded
    return f"{kind} {encoded}" if kind in KEY_TYPES and whole and parts[0] == kind.encode() else None


def parts_of(blob: bytes) -> list[bytes] | None:
    """What a key consists of, each with its length before it; nothing when that doesn't come out even."""
    parts = []
    while blob:
        size = int.from_bytes(blob[:4], "big")
        if len(blob) < 4 + size:
            return None
        parts.append(blob[4 : 4 + size])
        blob = blob[4 + size :]
    return parts


# What was made --------------------------------------------------------------------------------------------------------


class Made:
    """The accounts that this made on this node, by name, with their ids, and whether they are locked."""

    def __init__(self, folder: Path, admits: Path) -> None:
        """Reads them. admits: what authorized_keys.py reads."""
        self.admits = admits
        self.file = folder / "accounts.json"
        try:
            self.accounts: dict[str, dict[str, Any]] = json.loads(self.file.read_text())
        except FileNotFoundError:
            self.accounts = {}
        except (OSError, ValueError) as error:
            raise FleetError(f"{self.file} can't be read, so nothing was changed: {error}") from error

    def uid(self, name: str) -> int:
        """Of one."""
        return self.accounts[name]["uid"]

    def is_locked(self, name: str) -> bool:
        """Whether one can't be entered."""
        return self.accounts[name]["locked"]

    def note(self, name: str, uid: int, locked: bool) -> None:
        """Keeps what is so, before anything that would be forgotten otherwise."""
        self.accounts[name] = {"uid": uid, "locked": locked}
        write(self.file, self.accounts, 0o600)

    def admit(self, users: Users, names: Iterable[str]) -> None:
        """Tells authorized_keys.py."""
        admitted = {"confirmed": users.confirmed, "users": {name: users.keys[name] for name in names}}
        self.admits.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        write(self.admits, admitted, 0o644)

    def admitted(self) -> dict[str, Any]:
        """What it was told last."""
        try:
            return json.loads(self.admits.read_text())
        except (OSError, ValueError):
            return {}


def write(file: Path, content: object, mode: int) -> None:
    """A file as JSON, which is there whole or as it was."""
    fresh = file.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    with fresh.open("x") as opened:
        os.fchmod(opened.fileno(), mode)
        json.dump(content, opened)
        opened.flush()
        os.fsync(opened.fileno())
    fresh.replace(file)


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """One at a time."""
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


# All of it ------------------------------------------------------------------------------------------------------------


def refuse_strangers(users: Users, made: Made) -> None:
    """Nobody gets what is somebody else's."""
    for name in users.keys:
        uid = accounts.account_id(name)
        if accounts.is_taken(name) if name not in made.accounts else uid not in (None, made.uid(name)):
            raise FleetError(
                f'"{name}" is an account, a group or a home of this machine that is no user\'s; nothing was changed'
            )


def sync(users: Users, made: Made) -> dict[str, list[str]]:
    """Makes the accounts what the file says, those who lose something first."""
    refuse_strangers(users, made)
    problems: list[str] = []
    done: dict[str, list[str]] = {"made": [], "opened": [], "revoked": []}

    gone = [name for name in made.accounts if name not in users.keys]
    before = made.admitted().get("users", {})
    entered = [name for name in users.keys if name in made.accounts and not made.is_locked(name)]
    made.admit(users, entered)
    accounts.end_sessions([made.uid(name) for name in entered if set(before.get(name, ())) - set(users.keys[name])])
    for name in gone:
        if not made.is_locked(name):
            with noting(problems, name):
                if accounts.account_id(name) == made.uid(name):
                    accounts.lock_account(name)
                made.note(name, made.uid(name), locked=True)
                done["revoked"].append(name)
    # At each call: what was about to begin when an account was locked would be there else.
    left = accounts.end_processes([made.uid(name) for name in gone])
    problems += [f"{name}: processes are left that can't be ended" for name in gone if made.uid(name) in left]

    for name in users.keys:
        with noting(problems, name):
            for what in bring(name, made):
                done[what].append(name)
            accounts.close_home(name, made.uid(name))
    made.admit(users, [name for name in users.keys if name in made.accounts and not made.is_locked(name)])
    if problems:
        raise FleetError("; ".join(problems))
    return done


def bring(name: str, made: Made) -> Iterator[str]:
    """An account that can be entered, with those words for what it took."""
    if name not in made.accounts:
        made.note(name, accounts.free_id([made.uid(each) for each in made.accounts]), locked=True)
    if accounts.account_id(name) is None:
        accounts.make_account(name, made.uid(name))
        yield "made"
    elif made.is_locked(name):
        yield "opened"
    if made.is_locked(name):
        accounts.open_account(name)
        made.note(name, made.uid(name), locked=False)


@contextlib.contextmanager
def noting(problems: list[str], name: str) -> Iterator[None]:
    """What goes wrong with one user doesn't keep others from theirs."""
    try:
        yield
    except (FleetError, OSError) as error:
        problems.append(f"{name}: {error}")


def fetch(words: Sequence[str]) -> str | None:
    """Has the file fetched; why it could not be."""
    try:
        done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, timeout=FETCH_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{words[0]} did not fetch the users: {error}"
    return f"{words[0]} did not fetch the users, and ended with {done.returncode}" if done.returncode else None


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--file", type=Path, required=True, metavar="USERS.json", help="the fleet's users")
    parser.add_argument("--state", type=Path, default=STATE, metavar="DIR", help="what was made (default: %(default)s)")
    parser.add_argument("--admitted", type=Path, default=ADMITTED, help="who may enter (default: %(default)s)")
    commands = parser.add_subparsers(dest="command", required=True, metavar="sync")
    syncing = commands.add_parser("sync", help="have the accounts follow the file")
    syncing.add_argument(
        "--fetch",
        nargs=argparse.REMAINDER,
        default=[],
        metavar="COMMAND",
        help="what renews the file before, the last argument; it ends with 0 when the file is what holds",
    )
    options = parser.parse_args()
    with alone(options.state):
        made = Made(options.state, options.admitted)
        began = time.time()
        problem = fetch(options.fetch) if options.fetch else None
        users = read_users(options.file)
        if options.fetch:
            users = Users(users.keys, made.admitted().get("confirmed", 0) if problem else began)
        print(json.dumps({"users": len(users.keys), **sync(users, made)}))
    if problem:
        raise FleetError(problem)


if __name__ == "__main__":
    run("users", main)
